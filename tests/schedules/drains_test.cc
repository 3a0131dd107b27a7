#include "schedules/drains.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

std::vector<std::int32_t> Counts(const Schedule& schedule) {
  std::vector<std::int32_t> counts;
  for (const Drain& drain : FindDrains(schedule)) {
    counts.push_back(drain.microbatches);
  }
  return counts;
}

using List = std::vector<std::int32_t>;

TEST(Drains, OfAFlushScheduleAreItsBatches) {
  const Schedule schedule = test::Make("1f1b", {.ranks = 2, .microbatches = 2, .batches = 3});
  EXPECT_EQ(Counts(schedule), (List{2, 4, 6}));
  const std::vector<Drain> drains = FindDrains(schedule);
  EXPECT_EQ(drains[0].end, (List{5, 5}));  // F0 F1 B0 B1 S; F0 B0 F1 B1 S.
  EXPECT_EQ(drains[2].end, (List{15, 15}));
}

TEST(Drains, OfAStreamAreWhereItWasToldToDrain) {
  for (const char* name : {"pipedream", "spectrain", "pipeoptim", "xpipe"}) {
    EXPECT_EQ(Counts(test::Make(name, {.ranks = 3, .microbatches = 12})), (List{12})) << name;
    EXPECT_EQ(
        Counts(test::Make(name, {.ranks = 3, .microbatches = 12, .batches = 1, .drain_every = 4})),
        (List{4, 8, 12}))
        << name;
  }
}

TEST(Drains, APredictionGoesWithItsReaders) {
  const Schedule schedule =
      test::Make("pipeoptim", {.ranks = 2, .microbatches = 8, .batches = 1, .drain_every = 4});
  for (const Drain& drain : FindDrains(schedule)) {
    for (std::size_t rank = 0; rank < drain.end.size(); ++rank) {
      const auto end = static_cast<std::size_t>(drain.end[rank]);
      EXPECT_EQ(schedule.programs[rank][end - 1].kind, OpKind::kStep);
    }
  }
}

TEST(Drains, AreFoundWithCommunicationToo) {
  for (const Generator& generator : Generators()) {
    const GeneratorOptions options{
        .ranks = 4, .microbatches = 12, .batches = 2, .drain_every = generator.flushes ? 0 : 12};
    const Schedule schedule = test::Make(std::string(generator.name), options);
    const List plain = Counts(schedule);
    for (const char* policy : {"early", "just-in-time"}) {
      const List lowered = Counts(Lower(schedule, *ParseReceivePolicy(policy).value));
      EXPECT_TRUE(std::includes(plain.begin(), plain.end(), lowered.begin(), lowered.end()));
      EXPECT_NE(std::find(lowered.begin(), lowered.end(), 12), lowered.end())
          << generator.name << ' ' << policy;
      EXPECT_EQ(lowered.back(), 24);
    }
  }
}

}  // namespace
}  // namespace stagecraft
