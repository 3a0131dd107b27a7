#include "schedules/fingerprint.h"

#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "schedules/text.h"
#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Programs;

TEST(Fingerprint, IsTheSameForEver) {
  // Recorded from the first release: users keep fingerprints in their results.
  const std::string known = Fingerprint(Make("pipeoptim", {.ranks = 2, .microbatches = 3}));
  std::cout << "pipeoptim -p 2 -m 3: " << known << '\n';
  EXPECT_EQ(known, "4ad065e819e4895a");
}

TEST(Fingerprint, IgnoresNameAndSource) {
  Schedule schedule = Make("1f1b", {.ranks = 2, .microbatches = 3});
  const std::string before = Fingerprint(schedule);
  EXPECT_EQ(before.size(), 16U);
  EXPECT_EQ(before.find_first_not_of("0123456789abcdef"), std::string::npos);
  schedule.name = "mine";
  schedule.source = "me";
  EXPECT_EQ(Fingerprint(schedule), before);
}

TEST(Fingerprint, DiffersWhateverFieldChanges) {
  const Schedule schedule = Programs(2, {"0 2: 0F0@0 2F0@0+1 0B0@0", "1: 1F0@0 1S@0"});
  const std::vector<std::function<void(Schedule&)>> changes = {
      [](Schedule& s) { s.shape.ranks = 3; },
      [](Schedule& s) { s.shape.stages = 4; },
      [](Schedule& s) { s.shape.microbatches = 3; },
      [](Schedule& s) { s.mode = Mode::kForward; },
      [](Schedule& s) { s.placement[0].pop_back(); },
      [](Schedule& s) { std::swap(s.placement[0][0], s.placement[0][1]); },
      [](Schedule& s) { std::swap(s.placement[0], s.placement[1]); },
      [](Schedule& s) { s.programs[0][0].kind = OpKind::kRecompute; },
      [](Schedule& s) { s.programs[0][0].joined = true; },
      [](Schedule& s) { s.programs[0][1].horizon = -1; },
      [](Schedule& s) { s.programs[0][0].stage = 2; },
      [](Schedule& s) { s.programs[0][0].microbatch = 1; },
      [](Schedule& s) { s.programs[0][0].version = 1; },
      [](Schedule& s) { std::swap(s.programs[0][0], s.programs[0][1]); },
      [](Schedule& s) { s.programs[0].pop_back(); },
      [](Schedule& s) { s.programs[1].pop_back(); },
      // The same ops in all, the last one on the other rank.
      [](Schedule& s) {
        s.programs[1].insert(s.programs[1].begin(), s.programs[0].back());
        s.programs[0].pop_back();
      },
  };
  std::set<std::string> seen = {Fingerprint(schedule)};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Schedule changed = schedule;
    changes[i](changed);
    EXPECT_TRUE(seen.insert(Fingerprint(changed)).second) << "change " << i;
  }
}

TEST(FingerprintsOf, AreTheSameForAScheduleAndWhatLoweringMakesOfIt) {
  const Schedule schedule = Make("pipedream", {.ranks = 3, .microbatches = 4});
  const FingerprintPair given = FingerprintsOf(schedule);
  EXPECT_EQ(given.schedule, Fingerprint(schedule));
  EXPECT_EQ(given.lowered, given.schedule);  // There is no communication yet.
  const Schedule early = Lower(schedule);
  const Schedule late = Lower(schedule, {ReceivePolicy::Kind::kJustInTime, 0});
  EXPECT_EQ(FingerprintsOf(early).schedule, given.schedule);
  EXPECT_EQ(FingerprintsOf(late).schedule, given.schedule);
  EXPECT_EQ(FingerprintsOf(early).lowered, Fingerprint(early));
  EXPECT_NE(FingerprintsOf(early).lowered, FingerprintsOf(late).lowered);
}

TEST(Fingerprint, TellsAllGeneratedSchedulesApart) {
  std::map<std::string, std::string> text_of;
  test::ForEachVariant(4, [&](const test::Variant& variant) {
    Schedule schedule = variant.Make();
    schedule.name.clear();
    schedule.source.clear();
    const std::string text = Print(schedule);
    const auto [known, is_new] = text_of.emplace(Fingerprint(schedule), text);
    ASSERT_EQ(known->second, text) << variant.Text();
  });
  std::cout << text_of.size() << " different schedules\n";
  EXPECT_GT(text_of.size(), 300U);
}

}  // namespace
}  // namespace stagecraft
