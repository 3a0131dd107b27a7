#include "schedules/lower.h"

#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Programs;
using test::ProgramText;
using test::Texts;

constexpr ReceivePolicy kEarly{ReceivePolicy::Kind::kEarly, 0};
constexpr ReceivePolicy kJustInTime{ReceivePolicy::Kind::kJustInTime, 0};

ReceivePolicy Lookahead(std::int32_t ops) {
  return {ReceivePolicy::Kind::kLookahead, ops};
}

/// A program as torch writes it: no versions, no updates.
std::string TorchText(const Schedule& schedule, std::size_t rank) {
  std::string line;
  for (const Op& op : schedule.programs[rank]) {
    if (op.kind != OpKind::kStep) {
      const std::string text = ToString(op);
      line += (line.empty() ? "" : ",") + text.substr(0, text.find('@'));
    }
  }
  return line;
}

TEST(Lower, EarlyIsTorchsLoweringOfOneFOneB) {
  // The compute_comms form that torch.distributed.pipelining gives for 1F1B, 2 ranks, 3
  // micro-batches.
  const Schedule lowered = Lower(Make("1f1b", {.ranks = 2, .microbatches = 3}), kEarly);
  EXPECT_EQ(TorchText(lowered, 0),
            "0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0F2,0SEND_F2,0RECV_B1,0B1,0RECV_B2,0B2");
  EXPECT_EQ(TorchText(lowered, 1),
            "1RECV_F0,1F0,1RECV_F1,1B0,1SEND_B0,1F1,1RECV_F2,1B1,1SEND_B1,1F2,1B2,1SEND_B2");
}

TEST(Lower, JustInTimeReceivesRightBeforeTheConsumer) {
  const Schedule lowered = Lower(Make("1f1b", {.ranks = 2, .microbatches = 3}), kJustInTime);
  EXPECT_EQ(ProgramText(lowered, 0),
            "0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0B0@0 0F2@0 0SEND_F2 0RECV_B1 0B1@0 0RECV_B2 "
            "0B2@0 0S@0");
  EXPECT_EQ(ProgramText(lowered, 1),
            "1RECV_F0 1F0@0 1B0@0 1SEND_B0 1RECV_F1 1F1@0 1B1@0 1SEND_B1 1RECV_F2 1F2@0 1B2@0 "
            "1SEND_B2 1S@0");
}

TEST(Lower, LookaheadReceivesSoManyComputeOpsBefore) {
  const Schedule schedule = Make("1f1b", {.ranks = 2, .microbatches = 3});
  Schedule lowered = Lower(schedule, Lookahead(1));
  EXPECT_EQ(ProgramText(lowered, 0),
            "0F0@0 0SEND_F0 0RECV_B0 0F1@0 0SEND_F1 0B0@0 0RECV_B1 0F2@0 0SEND_F2 0RECV_B2 0B1@0 "
            "0B2@0 0S@0");
  EXPECT_EQ(ProgramText(lowered, 1),
            "1RECV_F0 1F0@0 1RECV_F1 1B0@0 1SEND_B0 1F1@0 1RECV_F2 1B1@0 1SEND_B1 1F2@0 1B2@0 "
            "1SEND_B2 1S@0");
  EXPECT_EQ(Lower(schedule, Lookahead(0)), Lower(schedule, kJustInTime));
  // Beyond the beginning: everything is posted first, in the order of the channel.
  lowered = Lower(schedule, Lookahead(2147483647));
  EXPECT_EQ(ProgramText(lowered, 1),
            "1RECV_F0 1RECV_F1 1RECV_F2 1F0@0 1B0@0 1SEND_B0 1F1@0 1B1@0 1SEND_B1 1F2@0 1B2@0 "
            "1SEND_B2 1S@0");
}

TEST(Lower, LookaheadCountsComputeOpsOnly) {
  // Between 0F0 and 0F1 stand B0, S and P: one compute op.
  const Schedule schedule = Programs(
      2, {"0: 0F0@0 0B0@0 0S@0 0F1@1 0B1@1 0S@1", "1: 1F0@0 1B0@0 1S@0 1P@1+1 1F1@1+1 1B1@1 1S@1"});
  EXPECT_EQ(ProgramText(Lower(schedule, Lookahead(1)), 1),
            "1RECV_F0 1F0@0 1RECV_F1 1B0@0 1SEND_B0 1S@0 1P@1+1 1F1@1+1 1B1@1 1SEND_B1 1S@1");
}

TEST(Lower, StepsRideWithTheOpBeforeAndPredictionsWithTheOneAfter) {
  const Schedule schedule = Make("pipeoptim", {.ranks = 2, .microbatches = 3});
  const Schedule lowered = Lower(schedule, kEarly);
  // 1B0 sends before the step, so the step does not delay it; 0P@1+1 waits with 0F2.
  EXPECT_EQ(ProgramText(lowered, 0),
            "0F0@0 0SEND_F0 0P@0+1 0F1@0+1 0SEND_F1 0RECV_B0 0B0@0 0S@0 0P@1+1 0F2@1+1 0SEND_F2 "
            "0RECV_B1 0B1@1 0S@1 0RECV_B2 0B2@2 0S@2");
  EXPECT_EQ(ProgramText(lowered, 1),
            "1RECV_F0 1F0@0 1RECV_F1 1B0@0 1SEND_B0 1S@0 1F1@1 1RECV_F2 1B1@1 1SEND_B1 1S@1 1F2@2 "
            "1B2@2 1SEND_B2 1S@2");
}

TEST(Lower, RecomputesRideWithTheirBackward) {
  const Schedule schedule =
      Make("gpipe", {.ranks = 2, .microbatches = 1, .checkpoint = Checkpoint::kAll});
  EXPECT_EQ(ProgramText(Lower(schedule, kEarly), 0), "0F0@0 0SEND_F0 0RECV_B0 0R0@0 0B0@0 0S@0");
  EXPECT_EQ(ProgramText(Lower(schedule, kEarly), 1), "1RECV_F0 1F0@0 1R0@0 1B0@0 1SEND_B0 1S@0");
  // What needs the data is the B: the recompute runs while it is on its way.
  EXPECT_EQ(ProgramText(Lower(schedule, kJustInTime), 0),
            "0F0@0 0SEND_F0 0R0@0 0RECV_B0 0B0@0 0S@0");
}

TEST(Lower, AllReducesAndReplicasKeepTheirPlaces) {
  const Schedule schedule = Make("pipedream", {.ranks = 3, .microbatches = 2, .replicas = {2, 1}});
  const Schedule lowered = Lower(schedule, kEarly);
  EXPECT_EQ(ProgramText(lowered, 0), "0F0@0 0SEND_F0 0RECV_B0 0B0@0 0A@0 0S@0");
  EXPECT_EQ(ProgramText(lowered, 1), "0F1@0 0SEND_F1 0RECV_B1 0B1@0 0A@0 0S@0");
  EXPECT_EQ(ProgramText(lowered, 2),
            "1RECV_F0 1RECV_F1 1F0@0 1B0@0 1SEND_B0 1S@0 1F1@1 1B1@1 1SEND_B1 1S@1");
}

TEST(Lower, RecvsStandBeforeACellAndSendsAfterIt) {
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0", "1: 1F0@0 1B0@0 1F1@0 1B1@0 1S@0"});
  const std::string expected = "0F0@0 0SEND_F0 0RECV_B0 (0F1@0;0B0@0) 0SEND_F1 0RECV_B1 0B1@0 0S@0";
  EXPECT_EQ(ProgramText(Lower(schedule, kEarly), 0), expected);
  EXPECT_EQ(ProgramText(Lower(schedule, kJustInTime), 0), expected);
  // One compute op before 0B1 is the cell: not into it, but before it.
  EXPECT_EQ(ProgramText(Lower(schedule, Lookahead(1)), 0),
            "0RECV_B0 0F0@0 0SEND_F0 0RECV_B1 (0F1@0;0B0@0) 0SEND_F1 0B1@0 0S@0");
  EXPECT_EQ(Verify(Lower(schedule, kEarly)).size(), 0U);
}

/// A V: stages 0 and 3 on rank 0, 1 and 2 on rank 1. Forwards of stage 0 and backwards of stage 3
/// travel on the same channel.
Schedule TwoInAV() {
  return Programs(2, {"0 3: 0F0@0 0F1@0 3F0@0 3B0@0 0B0@0 3F1@0 3B1@0 0B1@0 0S@0 3S@0",
                      "1 2: 1F0@0 2F0@0 2B0@0 1B0@0 1F1@0 2F1@0 2B1@0 1B1@0 1S@0 2S@0"});
}

TEST(Lower, AReceiveIsPostedEarlierWhereTheChannelNeedsIt) {
  // Rank 0 sends 0F0, 0F1, 3B0, 3B1, but rank 1 consumes 1F1 after 2B0: its RECV comes before
  // 2RECV_B0 all the same.
  const Schedule lowered = Lower(TwoInAV(), kJustInTime);
  EXPECT_EQ(ProgramText(lowered, 0),
            "0F0@0 0SEND_F0 0F1@0 0SEND_F1 3RECV_F0 3F0@0 3B0@0 3SEND_B0 0RECV_B0 0B0@0 3RECV_F1 "
            "3F1@0 3B1@0 3SEND_B1 0RECV_B1 0B1@0 0S@0 3S@0");
  EXPECT_EQ(ProgramText(lowered, 1),
            "1RECV_F0 1F0@0 2F0@0 2SEND_F0 1RECV_F1 2RECV_B0 2B0@0 1B0@0 1SEND_B0 1F1@0 2F1@0 "
            "2SEND_F1 2RECV_B1 2B1@0 1B1@0 1SEND_B1 1S@0 2S@0");
  EXPECT_EQ(Texts(Verify(lowered)), "");
}

TEST(Lower, NeighboursOnOneRankGetNoTransfer) {
  const Schedule schedule = Make("sequential", {.ranks = 3, .microbatches = 2});
  EXPECT_EQ(Lower(schedule, kEarly), schedule);
  EXPECT_EQ(Lower(schedule, kJustInTime), schedule);
}

TEST(Lower, KeepsNameSourceAndMode) {
  Schedule schedule = test::ForwardPrograms(1, {"0: 0F0@0", "1: 1F0@0"});
  schedule.name = "evaluation";
  schedule.source = "here";
  const Schedule lowered = Lower(schedule);
  EXPECT_EQ(ProgramText(lowered, 1), "1RECV_F0 1F0@0");
  EXPECT_EQ(lowered.name, "evaluation");
  EXPECT_EQ(lowered.source, "here");
  EXPECT_EQ(lowered.mode, Mode::kForward);
  EXPECT_EQ(EraseCommunication(lowered).name, "evaluation");
}

TEST(LowerDeathTest, RefusesADeadlock) {
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 0B0@0 0F1@0 0B1@0", "1: 1F0@0 1F1@0 1B0@0 1B1@0"});
  EXPECT_DEATH(Lower(schedule), "only a verified schedule can be lowered");
}

TEST(Lower, OfEveryGeneratorCanBeErasedAndRunsInItsSendModes) {
  int count = 0;
  test::ForEachVariant(5, [&](const test::Variant& variant) {
    const Schedule schedule = variant.Make();
    for (const ReceivePolicy& policy : {kEarly, kJustInTime, Lookahead(1), Lookahead(3)}) {
      const Schedule lowered = Lower(schedule, policy);
      ASSERT_EQ(EraseCommunication(lowered), schedule) << variant.Text();
      for (const SendMode mode : {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking}) {
        if (mode == SendMode::kBlocking && policy.kind != ReceivePolicy::Kind::kEarly) {
          continue;
        }
        ASSERT_EQ(Texts(Verify(lowered, mode)), "")
            << variant.Text() << ", receive " << ToString(policy) << ", send " << ToString(mode);
      }
      ++count;
    }
  });
  std::cout << count << " lowered schedules verified\n";
  EXPECT_GT(count, 20000);
}

TEST(ReceivePolicy, IsReadAndWritten) {
  for (const std::string text :
       {"early", "just-in-time", "lookahead:0", "lookahead:17", "lookahead:2147483647"}) {
    const Result<ReceivePolicy> policy = ParseReceivePolicy(text);
    ASSERT_TRUE(policy) << text;
    EXPECT_EQ(ToString(*policy.value), text);
  }
  EXPECT_EQ(ParseReceivePolicy("lookahead:17").value->lookahead, 17);
}

TEST(ReceivePolicy, SaysWhatItExpects) {
  for (const std::string text : {"", "Early", "lookahead", "lookahead:", "lookahead:-1",
                                 "lookahead:2147483648", "lookahead:1x", "lookahead: 1"}) {
    const Result<ReceivePolicy> policy = ParseReceivePolicy(text);
    EXPECT_FALSE(policy) << text;
    EXPECT_EQ(Texts(policy.diagnostics),
              "error: receive policy '" + text +
                  "'; expected early, just-in-time or lookahead:K with K from 0 to 2147483647\n");
  }
}

}  // namespace
}  // namespace stagecraft
