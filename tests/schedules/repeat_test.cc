#include "schedules/repeat.h"

#include <gtest/gtest.h>

#include "schedules/registry.h"
#include "schedules/staleness.h"
#include "schedules/text.h"
#include "schedules/verify.h"
#include "schedules/weight_slots.h"

namespace stagecraft {
namespace {

Schedule Parsed(const char* text) {
  return OrThrow(Parse(text, "a.sched"));
}

TEST(Repeat, GoesOnWithTheNewestVersionAndTheNextMicrobatches) {
  const Schedule once = Parsed(R"(stagecraft schedule 1
shape     ranks 2 stages 2 microbatches 2
place     0: 0
place     1: 1
rank 0    0F0@0 0P@0+1 0F1@0+1 0B0@0 0S@0 0B1@1 0S@1
rank 1    1F0@0 1B0@0 1F1@0 1B1@0 1S@0
)");
  const Schedule twice = Parsed(R"(stagecraft schedule 1
shape     ranks 2 stages 2 microbatches 4
place     0: 0
place     1: 1
rank 0    0F0@0 0P@0+1 0F1@0+1 0B0@0 0S@0 0B1@1 0S@1
rank 0    0F2@2 0P@2+1 0F3@2+1 0B2@2 0S@2 0B3@3 0S@3
rank 1    1F0@0 1B0@0 1F1@0 1B1@0 1S@0
rank 1    1F2@1 1B2@1 1F3@1 1B3@1 1S@1
)");
  ASSERT_TRUE(Verify(once).empty());
  EXPECT_EQ(OrThrow(Repeat(once, 1)), once);
  EXPECT_EQ(OrThrow(Repeat(once, 2)), twice);
  EXPECT_TRUE(Verify(twice).empty());
}

// A flush schedule ends each batch with an empty pipeline: so does a file that is repeated.
TEST(Repeat, OfABatchOfAFlushScheduleIsThatScheduleWithMoreBatches) {
  for (const Generator& generator : Generators()) {
    if (!generator.flushes) {
      continue;
    }
    GeneratorOptions options;
    options.ranks = 4;
    options.microbatches = 8;
    const Schedule once = OrThrow(Generate(generator.name, options));
    options.batches = 3;
    EXPECT_EQ(OrThrow(Repeat(once, 3)), OrThrow(Generate(generator.name, options)))
        << generator.name;
  }
}

TEST(Repeat, OfEveryScheduleIsValidAndNeedsNoMoreWeightCopies) {
  for (const Generator& generator : Generators()) {
    GeneratorOptions options;
    options.ranks = 4;
    options.microbatches = 8;
    options.batches = 2;
    const Schedule once = OrThrow(Generate(generator.name, options));
    const Schedule thrice = OrThrow(Repeat(once, 3));
    EXPECT_TRUE(Verify(thrice).empty()) << generator.name;
    EXPECT_EQ(CountWeightSlots(thrice).size(), CountWeightSlots(once).size());
    for (std::size_t i = 0; i < CountWeightSlots(once).size(); ++i) {
      EXPECT_EQ(CountWeightSlots(thrice)[i].slots, CountWeightSlots(once)[i].slots)
          << generator.name;
    }
    for (std::size_t stage = 0; stage < FindStaleness(once).size(); ++stage) {
      EXPECT_EQ(FindStaleness(thrice)[stage].max, FindStaleness(once)[stage].max);
    }
  }
}

TEST(Repeat, RefusesNumbersThatMakeNoSense) {
  const Schedule once = OrThrow(Generate("1f1b", {.ranks = 2, .microbatches = 4}));
  EXPECT_FALSE(Repeat(once, 0));
  EXPECT_FALSE(Repeat(once, -1));
  EXPECT_EQ(Repeat(once, 2'000'000'000).diagnostics.at(0).message,
            "2000000000 repetitions of a schedule with 22 ops and micro-batches; expected at least "
            "1, and at most 134217728 of these in all");
}

}  // namespace
}  // namespace stagecraft
