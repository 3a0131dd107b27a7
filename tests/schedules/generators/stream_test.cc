#include "schedules/generators/stream.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::ProgramText;

TEST(StraightStream, HasOneRankPerStageAndTheOneFOneBWarmUp) {
  const Stream stream =
      StraightStream({.ranks = 4, .microbatches = 6, .batches = 2, .drain_every = 3}, 3);
  EXPECT_EQ(stream.replicas, (std::vector<std::int32_t>{1, 1, 1, 1}));
  EXPECT_EQ(stream.warmup, (std::vector<std::int32_t>{3, 2, 1, 0}));
  EXPECT_EQ(stream.microbatches, 12);
  EXPECT_EQ(stream.update_every, 3);
  EXPECT_EQ(stream.drain_every, 3);
}

TEST(MicrobatchesPerUpdate, IsAtLeastOnePerReplica) {
  EXPECT_EQ(MicrobatchesPerUpdate(1, 3), 3);
  EXPECT_EQ(MicrobatchesPerUpdate(6, 3), 6);
  EXPECT_EQ(MicrobatchesPerUpdate(4, 1), 4);
}

TEST(MakeStream, ReadsTheNewestVersionEverywhere) {
  const Schedule schedule =
      MakeStream({.replicas = {1, 1}, .warmup = {1, 0}, .microbatches = 3, .update_every = 1});
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0F1@0 0B0@0 0S@0 0F2@1 0B1@1 0S@1 0B2@2 0S@2");
  EXPECT_EQ(ProgramText(schedule, 1), "1F0@0 1B0@0 1S@0 1F1@1 1B1@1 1S@1 1F2@2 1B2@2 1S@2");
  EXPECT_EQ(schedule.shape, (Shape{2, 2, 3}));
}

TEST(MakeStream, StepsAfterTheLastBackwardOfAnUpdate) {
  const Schedule schedule =
      MakeStream({.replicas = {1}, .warmup = {1}, .microbatches = 4, .update_every = 2});
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0F1@0 0B0@0 0F2@0 0B1@0 0S@0 0F3@1 0B2@1 0B3@1 0S@1");
}

TEST(MakeStream, DrainsEmptyThePipelineAndVersionsGoOn) {
  const Schedule schedule = MakeStream({.replicas = {1, 1},
                                        .warmup = {1, 0},
                                        .microbatches = 4,
                                        .update_every = 1,
                                        .drain_every = 2});
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0F1@0 0B0@0 0S@0 0B1@1 0S@1 0F2@2 0F3@2 0B2@2 0S@2 0B3@3 0S@3");
}

TEST(MakeStream, TheLastDrainMayBeShort) {
  const Schedule schedule = MakeStream(
      {.replicas = {1}, .warmup = {1}, .microbatches = 3, .update_every = 1, .drain_every = 2});
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0F1@0 0B0@0 0S@0 0B1@1 0S@1 0F2@2 0B2@2 0S@2");
}

TEST(MakeStream, AWarmUpBeyondTheEndIsCut) {
  const Schedule schedule =
      MakeStream({.replicas = {1}, .warmup = {5}, .microbatches = 2, .update_every = 2});
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0F1@0 0B0@0 0B1@0 0S@0");
}

TEST(MakeStream, ReplicasTakeTurnsAndReduceBeforeTheyStep) {
  // Micro-batch q runs on replica q mod 2; an update takes 4, 2 of each replica.
  const Schedule schedule =
      MakeStream({.replicas = {2, 1}, .warmup = {1, 0}, .microbatches = 8, .update_every = 4});
  EXPECT_EQ(schedule.placement, (Table<Table<std::int32_t>>{{0}, {0}, {1}}));
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0F2@0 0B0@0 0F4@0 0B2@0 0A@0 0S@0 0F6@1 0B4@1 0B6@1 0A@1 0S@1");
  EXPECT_EQ(ProgramText(schedule, 1),
            "0F1@0 0F3@0 0B1@0 0F5@0 0B3@0 0A@0 0S@0 0F7@1 0B5@1 0B7@1 0A@1 0S@1");
  EXPECT_EQ(ProgramText(schedule, 2),
            "1F0@0 1B0@0 1F1@0 1B1@0 1F2@0 1B2@0 1F3@0 1B3@0 1S@0 1F4@1 1B4@1 1F5@1 1B5@1 1F6@1 "
            "1B6@1 1F7@1 1B7@1 1S@1");
}

TEST(MakeStream, ReplicasKeepTheirTurnAcrossADrain) {
  // A drain after 2 of 6 micro-batches on 2 replicas; replica 1 goes on with q = 3.
  const Schedule schedule = MakeStream(
      {.replicas = {2}, .warmup = {0}, .microbatches = 4, .update_every = 1, .drain_every = 2});
  EXPECT_EQ(ProgramText(schedule, 1), "0F1@0 0B1@0 0A@0 0S@0 0F3@1 0B3@1 0A@1 0S@1");
}

TEST(StashForwardWeights, LetsTheBackwardReadWhatItsForwardRead) {
  Schedule schedule =
      MakeStream({.replicas = {1, 1}, .warmup = {1, 0}, .microbatches = 3, .update_every = 1});
  StashForwardWeights(schedule);
  EXPECT_EQ(ProgramText(schedule, 0), "0F0@0 0F1@0 0B0@0 0S@0 0F2@1 0B1@0 0S@1 0B2@1 0S@2");
  EXPECT_EQ(ProgramText(schedule, 1), "1F0@0 1B0@0 1S@0 1F1@1 1B1@1 1S@1 1F2@2 1B2@2 1S@2");
}

/// One stage with a warm-up of 2 and the predictions that `prediction` asks for.
std::string Predicted(std::int32_t microbatches, std::int32_t update_every,
                      const Prediction& prediction) {
  Schedule schedule = MakeStream(
      {.replicas = {1}, .warmup = {2}, .microbatches = microbatches, .update_every = update_every});
  AddPredictions(schedule, update_every, prediction);
  return ProgramText(schedule, 0);
}

TEST(AddPredictions, AimsAtAVersionFromTheNewestOne) {
  // Forward q aims at version q: 0, 1, 2 ahead of version 0, then always 2 ahead of the newest.
  EXPECT_EQ(Predicted(4, 1, {.aim = {0}}),
            "0F0@0 0P@0+1 0F1@0+1 0P@0+2 0F2@0+2 0B0@0 0S@0 0P@1+2 0F3@1+2 0B1@1 0S@1 0B2@2 0S@2 "
            "0B3@3 0S@3");
}

TEST(AddPredictions, AFixedDistanceIgnoresTheRamp) {
  EXPECT_EQ(Predicted(3, 1, {.aim = {0}, .fixed = {1}}),
            "0P@0+1 0F0@0+1 0F1@0+1 0F2@0+1 0B0@0 0S@0 0B1@1 0S@1 0B2@2 0S@2");
}

TEST(AddPredictions, APredictionIsRepeatedUnlessItWasTheLastOneWritten) {
  // Backwards aim at q + 1, always 1 ahead; the P of 0F1 and the next of 0B0 have the same key but
  // others stand between.
  EXPECT_EQ(Predicted(3, 1, {.aim = {1}, .backward = true}),
            "0P@0+1 0F0@0+1 0P@0+2 0F1@0+2 0P@0+3 0F2@0+3 0P@0+1 0B0@0+1 0S@0 0P@1+1 0B1@1+1 0S@1 "
            "0P@2+1 0B2@2+1 0S@2");
  // Two forwards of one update aim at the same version: one P for both.
  EXPECT_EQ(Predicted(4, 2, {.aim = {1}}),
            "0P@0+1 0F0@0+1 0F1@0+1 0P@0+2 0F2@0+2 0B0@0 0F3@0+2 0B1@0 0S@0 0B2@1 0B3@1 0S@1");
}

TEST(AddPredictions, ReuseLetsTheFirstOfAnUpdatePredictForAll) {
  // Micro-batch 3 reads what 2 predicted from version 0, although version 1 is there by then.
  EXPECT_EQ(Predicted(6, 2, {.aim = {0}, .reuse = true}),
            "0F0@0 0F1@0 0P@0+1 0F2@0+1 0B0@0 0F3@0+1 0B1@0 0S@0 0P@1+1 0F4@1+1 0B2@1 0F5@1+1 "
            "0B3@1 0S@1 0B4@2 0B5@2 0S@2");
}

TEST(AddPredictionsDeathTest, RefusesReplicas) {
  Schedule schedule = MakeStream({.replicas = {2}, .warmup = {0}, .microbatches = 2});
  EXPECT_DEATH(AddPredictions(schedule, 1, {.aim = {0}}), "one rank per stage");
}

}  // namespace
}  // namespace stagecraft
