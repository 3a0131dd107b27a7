#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "schedules/staleness.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::ProgramText;
using test::Reads;

TEST(PipeDream, StageROfDReadsTheVersionThatIsDMinus1MinusRUpdatesOld) {
  // W of max(0, q - (D-1-r)); counting from D - r instead is the commonest mistake.
  const Schedule schedule = Make("pipedream", {.ranks = 4, .microbatches = 8});
  const char* expected[] = {"0 0 0 0 1 2 3 4", "0 0 0 1 2 3 4 5", "0 0 1 2 3 4 5 6",
                            "0 1 2 3 4 5 6 7"};
  for (const int stage : {0, 1, 2, 3}) {
    const std::string reads = Reads(schedule, stage, OpKind::kForward);
    std::cout << "stage " << stage << " reads " << reads << '\n';
    EXPECT_EQ(reads, expected[stage]);
    EXPECT_EQ(Reads(schedule, stage, OpKind::kBackward), expected[stage]) << "the stash";
  }
}

TEST(PipeDream, VerticalSyncLetsEveryStageReadWhatStageZeroRead) {
  const Schedule schedule =
      Make("pipedream", {.ranks = 4, .microbatches = 8, .vertical_sync = true});
  for (const int stage : {0, 1, 2, 3}) {
    for (const OpKind kind : {OpKind::kForward, OpKind::kBackward}) {
      EXPECT_EQ(Reads(schedule, stage, kind), "0 0 0 0 1 2 3 4");
    }
  }
}

TEST(PipeDream, VerticalSyncWithSeveralMicrobatchesPerUpdate) {
  // Stage 0 of 2, T = 2: F3 runs after the step of the first update, F0 to F2 before it.
  const Schedule schedule =
      Make("pipedream", {.ranks = 2, .microbatches = 6, .update_every = 2, .vertical_sync = true});
  for (const int stage : {0, 1}) {
    EXPECT_EQ(Reads(schedule, stage, OpKind::kForward), "0 0 0 1 1 2");
  }
}

TEST(PipeDream, MicrobatchesOfAnUpdateMayReadDifferentVersions) {
  const Schedule schedule = Make("pipedream", {.ranks = 2, .microbatches = 6, .update_every = 2});
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0F1@0 0B0@0 0F2@0 0B1@0 0S@0 0F3@1 0B2@0 0F4@1 0B3@1 0S@1 0F5@2 0B4@1 0B5@2 "
            "0S@2");
}

TEST(PipeDream, ADrainRestartsTheStashFromTheNewestVersion) {
  // Not resetting it lets the first backwards of an epoch read weights from before its end.
  const Schedule schedule = Make("pipedream", {.ranks = 3, .microbatches = 8, .drain_every = 4});
  EXPECT_EQ(Reads(schedule, 0, OpKind::kForward), "0 0 0 1 4 4 4 5");
  EXPECT_EQ(Reads(schedule, 0, OpKind::kBackward), "0 0 0 1 4 4 4 5");
  EXPECT_EQ(Reads(schedule, 1, OpKind::kForward), "0 0 1 2 4 4 5 6");
  EXPECT_EQ(Reads(schedule, 2, OpKind::kForward), "0 1 2 3 4 5 6 7");
}

TEST(PipeDream, ThreeReplicasUpdateEveryThreeMicrobatches) {
  // 3-1: micro-batch q of stage 0 runs on rank q mod 3; stage 0 updates after max(1, 3) of them,
  // all replicas together; stage 1 after each. Warm-up: floor(3 / 3) = 1 and 0.
  const Schedule schedule = Make("pipedream", {.ranks = 4, .microbatches = 12, .replicas = {3, 1}});
  for (const std::size_t rank : {0U, 1U, 2U, 3U}) {
    std::cout << ProgramText(schedule, rank) << '\n';
  }
  EXPECT_EQ(schedule.placement, (Table<Table<std::int32_t>>{{0}, {0}, {0}, {1}}));
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0F3@0 0B0@0 0A@0 0S@0 0F6@1 0B3@0 0A@1 0S@1 0F9@2 0B6@1 0A@2 0S@2 0B9@2 0A@3 "
            "0S@3");
  EXPECT_EQ(ProgramText(schedule, 2),
            "0F2@0 0F5@0 0B2@0 0A@0 0S@0 0F8@1 0B5@0 0A@1 0S@1 0F11@2 0B8@1 0A@2 0S@2 0B11@2 0A@3 "
            "0S@3");
  EXPECT_EQ(ProgramText(schedule, 3).substr(0, 53),
            "1F0@0 1B0@0 1S@0 1F1@1 1B1@1 1S@1 1F2@2 1B2@2 1S@2 1F");
  const std::vector<StageStaleness> stages = FindStaleness(schedule);
  EXPECT_EQ(stages[0].steady, 1);
  EXPECT_EQ(stages[1].steady, 0);
}

TEST(PipeDream, ReplicasShareAnUpdateOfSix) {
  // K = 6 on 3 replicas: each contributes 2 micro-batches to every update.
  const Schedule schedule =
      Make("pipedream", {.ranks = 4, .microbatches = 12, .update_every = 6, .replicas = {3, 1}});
  EXPECT_EQ(ProgramText(schedule, 1),
            "0F1@0 0F4@0 0B1@0 0F7@0 0B4@0 0A@0 0S@0 0F10@1 0B7@0 0B10@1 0A@1 0S@1");
}

TEST(PipeDream, OneReplicaEachIsTheStraightPipeline) {
  EXPECT_EQ(Make("pipedream", {.ranks = 3, .microbatches = 6, .replicas = {1, 1, 1}}),
            Make("pipedream", {.ranks = 3, .microbatches = 6}));
}

TEST(PipeDream, WarmUpOfReplicatedStagesIsSharedAmongThem) {
  // 1,3: floor((4-1-0)/1) = 3 on rank 0; floor((4-1-1)/3) = 0 on the others.
  const Schedule schedule = Make("pipedream", {.ranks = 4, .microbatches = 6, .replicas = {1, 3}});
  EXPECT_EQ(ProgramText(schedule, 0).substr(0, 34), "0F0@0 0F1@0 0F2@0 0F3@0 0B0@0 0S@0");
  EXPECT_EQ(ProgramText(schedule, 1), "1F0@0 1B0@0 1A@0 1S@0 1F3@1 1B3@1 1A@1 1S@1");
}

}  // namespace
}  // namespace stagecraft
