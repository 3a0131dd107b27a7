#include "schedules/activations.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::ForwardPrograms;
using test::List;
using test::Make;
using test::Programs;

/// Round numbers, so that every part of a sum can be seen in its digits.
std::vector<StageSizes> Sizes() {
  return {{.activation_bytes = 100,
           .input_bytes = 10,
           .output_bytes = 7,
           .released_by_backward_input = 30,
           .parameter_bytes = 1000,
           .optimizer_bytes = 5000},
          {.activation_bytes = 200,
           .input_bytes = 20,
           .output_bytes = 3,
           .released_by_backward_input = 50,
           .parameter_bytes = 2000,
           .optimizer_bytes = 6000}};
}

/// `during>after` of every op of a rank, without the static bytes.
std::string Levels(const Schedule& schedule, std::int32_t rank, std::int64_t static_bytes) {
  std::string line;
  for (const MemoryLevel& level : MemoryLevels(schedule, Sizes(), rank)) {
    line += (line.empty() ? "" : " ") + std::to_string(level.during - static_bytes) + ">" +
            std::to_string(level.after - static_bytes);
  }
  return line;
}

std::string SetLevels(const Schedule& schedule, std::int32_t rank) {
  std::string line;
  for (const MemoryLevel& level : ActivationSetLevels(schedule, rank)) {
    line += (line.empty() ? "" : " ") + std::to_string(level.during) + ">" +
            std::to_string(level.after);
  }
  return line;
}

TEST(MemoryLevels, AForwardTakesASetAndItsBackwardGivesItBackAtItsEnd) {
  const Schedule schedule = Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0B1@0 0S@0", "1:"});
  EXPECT_EQ(Levels(schedule, 0, 6000), "100>100 200>200 200>100 100>0 0>0");
  const RankMemory memory = PeakMemory(schedule, Sizes()).at(0);
  EXPECT_EQ(memory.static_bytes, 6000);  // One weight copy and the optimizer's.
  EXPECT_EQ(memory.peak_bytes, 6200);
  EXPECT_EQ(memory.peak_op, 1);  // 0F1: the first that reaches it.
}

TEST(MemoryLevels, ARecomputedForwardKeepsItsInputOnly) {
  // 10 from F to the end of B; 100 from R to the end of B.
  const Schedule schedule = Programs(2, {"0: 0F0@0 0F1@0 0R0@0 0B0@0 0R1@0 0B1@0 0S@0", "1:"});
  EXPECT_EQ(Levels(schedule, 0, 6000), "10>10 20>20 120>120 120>10 110>110 110>0 0>0");
  EXPECT_EQ(PeakMemory(schedule, Sizes()).at(0).peak_op, 2);
}

TEST(MemoryLevels, OnlyTheRecomputedMicrobatchKeepsItsInput) {
  // Checkpointing all but the last: 0F1 keeps its whole set.
  const Schedule schedule = Programs(2, {"0: 0F0@0 0F1@0 0R0@0 0B0@0 0B1@0 0S@0", "1:"});
  EXPECT_EQ(Levels(schedule, 0, 6000), "10>10 110>110 210>210 210>100 100>0 0>0");
}

TEST(MemoryLevels, AnIGivesBackItsPartAndAWTheRest) {
  EXPECT_EQ(Levels(Programs(1, {"0: 0F0@0 0I0@0 0W0@0 0S@0", "1:"}), 0, 6000),
            "100>100 100>70 70>0 0>0");
  EXPECT_EQ(Levels(Programs(1, {"0: 0F0@0 0R0@0 0I0@0 0W0@0 0S@0", "1:"}), 0, 6000),
            "10>10 110>110 110>80 80>0 0>0");
}

TEST(MemoryLevels, ARecvHoldsABufferUntilItsConsumerStarts) {
  // The boundary between stages 0 and 1 is stage 0's output in both directions: 7 bytes.
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0RECV_B1 0B0@0 0B1@0 0S@0",
                   "1: 1RECV_F0 1RECV_F1 1F0@0 1B0@0 1SEND_B0 1F1@0 1I1@0 1SEND_B1 1W1@0 1S@0"});
  EXPECT_EQ(Levels(schedule, 0, 6000),
            "100>100 100>100 200>200 200>200 207>207 214>214 207>107 100>0 0>0");
  EXPECT_EQ(Levels(schedule, 1, 8000),
            "7>7 14>14 207>207 207>7 7>7 200>200 200>150 150>150 150>0 0>0");
  const std::vector<RankMemory> memory = PeakMemory(schedule, Sizes());
  EXPECT_EQ(memory.at(0).peak_bytes, 6214);
  EXPECT_EQ(memory.at(0).peak_op, 5);
  EXPECT_EQ(memory.at(1).peak_bytes, 8207);
  EXPECT_EQ(memory.at(1).peak_op, 2);
}

TEST(MemoryLevels, AnIReleasesItsBufferToo) {
  const Schedule schedule = Programs(
      1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0I0@0 0W0@0 0S@0", "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0"});
  EXPECT_EQ(Levels(schedule, 0, 6000), "100>100 100>100 107>107 100>70 70>0 0>0");
}

TEST(MemoryLevels, TheMembersOfACellRunTogether) {
  // The set of 0F1 is taken while that of 0F0 is still there, for both members.
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0", "1: 1F0@0 1B0@0 1F1@0 1B1@0 1S@0"});
  EXPECT_EQ(Levels(schedule, 0, 6000), "100>100 200>100 200>100 100>0 0>0");
  EXPECT_EQ(SetLevels(schedule, 0), "1>1 2>1 2>1 1>0 0>0");
  EXPECT_EQ(List(PeakActivationSets(schedule)), "2,1");
}

TEST(MemoryLevels, InForwardModeNothingIsKept) {
  const Schedule schedule =
      ForwardPrograms(2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1", "1: 1RECV_F0 1RECV_F1 1F0@0 1F1@0"});
  EXPECT_EQ(Levels(schedule, 0, 6000), "100>0 0>0 100>0 0>0");
  EXPECT_EQ(Levels(schedule, 1, 8000), "7>7 14>14 207>7 200>0");
  EXPECT_EQ(SetLevels(schedule, 1), "0>0 0>0 1>0 1>0");
  EXPECT_EQ(List(PeakActivationSets(schedule)), "1,1");
}

TEST(PeakMemory, CountsEveryWeightSlotAndStage) {
  // PipeDream, D = 2: stage 0 keeps two versions: 2 * 1000 + 5000; stage 1 one: 2000 + 6000.
  const std::vector<RankMemory> memory =
      PeakMemory(Make("pipedream", {.ranks = 2, .microbatches = 4}), Sizes());
  EXPECT_EQ(memory.at(0).static_bytes, 7000);
  EXPECT_EQ(memory.at(0).peak_bytes, 7200);  // Two micro-batches in flight.
  EXPECT_EQ(memory.at(1).static_bytes, 8000);
  EXPECT_EQ(memory.at(1).peak_bytes, 8200);
  // Both stages on one rank: the sum of all, and one set of each.
  const std::vector<RankMemory> one =
      PeakMemory(Make("sequential", {.ranks = 2, .microbatches = 4}), Sizes());
  EXPECT_EQ(one.at(0).static_bytes, 14000);
  EXPECT_EQ(one.at(0).peak_bytes, 14300);
  EXPECT_EQ(one.at(0).peak_op, 1);
}

TEST(PeakMemory, OfARankWithoutOpsIsStatic) {
  const RankMemory memory = PeakMemory(Programs(1, {"0: 0F0@0", "1:"}), Sizes()).at(1);
  EXPECT_EQ(memory.static_bytes, 8000);
  EXPECT_EQ(memory.peak_bytes, 8000);
  EXPECT_EQ(memory.peak_op, -1);
}

TEST(PeakMemory, IsTheHighestLevel) {
  const Schedule schedule = Make("xpipe", {.ranks = 2, .microbatches = 12, .update_every = 3});
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    const RankMemory memory = PeakMemory(schedule, Sizes()).at(static_cast<std::size_t>(rank));
    std::int64_t most = 0;
    std::int32_t first = -1;
    const std::vector<MemoryLevel> levels = MemoryLevels(schedule, Sizes(), rank);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (levels[i].during > most) {
        most = levels[i].during;
        first = static_cast<std::int32_t>(i);
      }
    }
    EXPECT_EQ(memory.peak_bytes, most);
    EXPECT_EQ(memory.peak_op, first);
  }
}

TEST(PeakActivationSets, AreThoseOfTheLiterature) {
  // D = 4, m = 8: GPipe m, 1F1B D - r, a model without overlap 1, pipelined backprop 2(D-1-r)+1.
  const GeneratorOptions options{.ranks = 4, .microbatches = 8};
  EXPECT_EQ(List(PeakActivationSets(Make("gpipe", options))), "8,8,8,8");
  EXPECT_EQ(List(PeakActivationSets(Make("1f1b", options))), "4,3,2,1");
  EXPECT_EQ(List(PeakActivationSets(Make("model-parallel", options))), "1,1,1,1");
  EXPECT_EQ(List(PeakActivationSets(Make("sequential", options))), "1,1,1,1");
  for (const char* name : {"async-1f1b", "pipedream", "pipedream-2bw", "spectrain", "xpipe",
                           "pipeoptim", "pipemare"}) {
    EXPECT_EQ(List(PeakActivationSets(Make(name, options))), "4,3,2,1") << name;
  }
  EXPECT_EQ(List(PeakActivationSets(Make("pipelined-backprop", options))), "7,5,3,1");
}

TEST(PeakActivationSets, WithCheckpointsAreOneSet) {
  EXPECT_EQ(List(PeakActivationSets(
                Make("gpipe", {.ranks = 2, .microbatches = 4, .checkpoint = Checkpoint::kAll}))),
            "1,1");
  // All but the last: the set of micro-batch 3 is kept while 0, 1 and 2 are recomputed.
  EXPECT_EQ(List(PeakActivationSets(Make(
                "gpipe", {.ranks = 2, .microbatches = 4, .checkpoint = Checkpoint::kExceptLast}))),
            "2,2");
}

TEST(PeakActivationSets, OfAReplicatedStageAreThoseOfItsWorstRank) {
  // Rank 0 runs three micro-batches at once, rank 1 only one.
  const Schedule schedule =
      Programs(4, {"0: 0F0@0 0F1@0 0F2@0 0B0@0 0B1@0 0B2@0 0A@0 0S@0", "0: 0F3@0 0B3@0 0A@0 0S@0"});
  EXPECT_EQ(List(PeakActivationSets(schedule)), "3");
}

TEST(ActivationSetLevels, ASplitBackwardHoldsItsSetUntilItsW) {
  EXPECT_EQ(SetLevels(Programs(1, {"0: 0F0@0 0I0@0 0W0@0 0S@0"}), 0), "1>1 1>1 1>0 0>0");
  EXPECT_EQ(SetLevels(Programs(1, {"0: 0F0@0 0R0@0 0B0@0 0S@0"}), 0), "0>0 1>1 1>0 0>0");
}

}  // namespace
}  // namespace stagecraft
