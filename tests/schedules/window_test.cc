#include "schedules/window.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/drains.h"
#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// `0 -1`, per micro-batch: what the forwards of stage 0 read.
std::string ForwardReads(const Schedule& schedule) {
  return test::Reads(schedule, 0, OpKind::kForward);
}

TEST(Window, OfAllOfAScheduleIsTheSchedule) {
  const Schedule schedule = Lower(test::Make("pipeoptim", {.ranks = 3, .microbatches = 8}));
  const Window window = CutWindow(schedule, {0, 8});
  EXPECT_EQ(window.schedule, schedule);
  EXPECT_EQ(window.slots.slot, AssignWeightSlots(schedule).slot);
  ASSERT_EQ(window.begin.size(), 3U);
  for (const std::vector<LiveWeights>* live : {&window.begin, &window.end}) {
    for (const LiveWeights& of_stage : *live) {
      EXPECT_TRUE(of_stage.older.empty());
    }
  }
}

TEST(Window, BehindADrainIsLikeTheBeginning) {
  for (const char* name : {"pipedream", "async-1f1b", "spectrain", "xpipe", "pipeoptim", "pipemare",
                           "1f1b", "gpipe"}) {
    const Generator& generator = *FindGenerator(name);
    const bool drains = (generator.takes & kTakesDrainEvery) != 0;
    const Schedule schedule = Lower(test::Make(
        name, {.ranks = 3, .microbatches = 6, .batches = 3, .drain_every = drains ? 6 : 0}));
    EXPECT_EQ(CutWindow(schedule, {6, 12}).schedule, CutWindow(schedule, {0, 6}).schedule) << name;
  }
}

TEST(Window, Of2bwReadsTheVersionBeforeItsFirst) {
  const Schedule schedule = Lower(
      test::Make("pipedream-2bw", {.ranks = 2, .microbatches = 2, .batches = 6, .drain_every = 4}));
  EXPECT_EQ(ForwardReads(schedule), "0 0 0 0 1 1 2 2 3 3 4 4");
  const Window window = CutWindow(schedule, {4, 8});
  EXPECT_EQ(ForwardReads(window.schedule), "-1 -1 0 0");
  for (const std::vector<LiveWeights>* live : {&window.begin, &window.end}) {
    for (const LiveWeights& of_stage : *live) {
      ASSERT_EQ(of_stage.older.size(), 1U);
      EXPECT_EQ(of_stage.older[0].back, 1);
      EXPECT_NE(of_stage.older[0].slot, of_stage.newest);
    }
  }
}

TEST(Window, OlderVersionsAreReadByWhoSaysSo) {
  for (const Generator& generator : Generators()) {
    if ((generator.takes & kTakesDrainEvery) == 0) {
      EXPECT_FALSE(generator.reads_over_drains) << generator.name;
      continue;
    }
    for (std::int32_t ranks = 1; ranks <= 4; ++ranks) {
      const Schedule schedule = Lower(test::Make(
          generator.name,
          {.ranks = ranks, .microbatches = 4 * ranks, .batches = 3, .drain_every = 4 * ranks}));
      const MicrobatchRange middle{4 * ranks, 8 * ranks};
      ASSERT_TRUE(IsWindow(schedule, middle)) << generator.name << ' ' << ranks;
      const Window window = CutWindow(schedule, middle);
      for (const LiveWeights& live : window.begin) {
        EXPECT_EQ(!live.older.empty(), generator.reads_over_drains) << generator.name;
      }
      // The analyses take it, older versions or not.
      std::int32_t copies = 0;
      for (const StageSlots& slots : CountWeightSlots(window.schedule)) {
        copies = std::max(copies, slots.slots);
      }
      std::int32_t of_all = 0;
      for (const StageSlots& slots : CountWeightSlots(schedule)) {
        of_all = std::max(of_all, slots.slots);
      }
      EXPECT_EQ(copies, of_all) << generator.name << ' ' << ranks;
    }
  }
}

TEST(Window, IsNoneWhereAReceiveOfBehindStandsBefore) {
  const Schedule schedule = Lower(
      test::Make("pipedream", {.ranks = 4, .microbatches = 8, .batches = 2, .drain_every = 8}),
      {ReceivePolicy::Kind::kLookahead, 1});
  EXPECT_FALSE(IsWindow(schedule, {8, 16}));
  EXPECT_TRUE(IsWindow(schedule, {0, 16}));
}

TEST(Window, KeepsTheSlotsOfTheWhole) {
  const Schedule schedule = Lower(
      test::Make("pipedream-2bw", {.ranks = 2, .microbatches = 2, .batches = 6, .drain_every = 4}));
  const Drain drain = FindDrains(schedule).front();
  const Window window = CutWindow(schedule, {4, 12});
  const WeightSlots whole = AssignWeightSlots(schedule);
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    const std::int32_t begin = drain.end[rank];
    ASSERT_EQ(window.schedule.programs[rank].Count(), schedule.programs[rank].Count() - begin);
    for (std::int32_t i = 0; i < window.schedule.programs[rank].Count(); ++i) {
      EXPECT_EQ((window.slots.slot[{rank, i}]), (whole.slot[{rank, begin + i}]));
      EXPECT_EQ((window.slots.base[{rank, i}]), (whole.base[{rank, begin + i}]));
    }
  }
}

TEST(MicrobatchRanges, ContainTheirBeginsAndNotTheirEnds) {
  const std::vector<MicrobatchRange> ranges{{2, 4}, {4, 5}, {8, 9}};
  std::string in;
  for (std::int32_t microbatch = 0; microbatch < 10; ++microbatch) {
    in += Contains(ranges, microbatch) ? std::to_string(microbatch) : "";
  }
  EXPECT_EQ(in, "2348");
  EXPECT_FALSE(Contains({}, 0));
}

}  // namespace
}  // namespace stagecraft
