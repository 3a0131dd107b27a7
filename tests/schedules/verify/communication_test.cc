#include "schedules/verify/communication.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "schedules/schedule.h"
#include "schedules/verify.h"
#include "tests/schedules/verify_cases.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Programs;

/// The smallest schedule with a transfer in each direction.
Schedule Good() {
  return Programs(
      1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0", "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0"});
}

std::vector<VerifyCase> SendCases() {
  return {
      {"paired", "SendBeforeItsProducer",
       Programs(1,
                {"0: 0SEND_F0 0F0@0 0RECV_B0 0B0@0 0S@0", "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0"}),
       "rank 0, op 0 (0SEND_F0): error: before its producer, op 1 [paired]\n"
       "  rank 0 | 0SEND_F0 0F0@0 0RECV_B0 0B0@0 0S@0\n"
       "           ^\n"
       "rank 0, op 0 (0SEND_F0): error: deadlock with eager sends: waits for 0F0@0 on rank 0, "
       "which stands behind 0SEND_F0 [progress]\n"
       "  rank 0 | 0SEND_F0 0F0@0 0RECV_B0 0B0@0 0S@0\n"
       "           ^\n",
       Good()},
      {"paired", "SendWithoutARecv",
       Programs(1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0", "1: 1F0@0 1B0@0 1SEND_B0 1S@0"}),
       "rank 0, op 1 (0SEND_F0): error: has no RECV of its own [paired]\n"
       "  rank 0 | 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0\n"
       "                 ^\n"
       "rank 1, op 0 (1F0@0): error: needs 0F0@0 on rank 0; expected 1RECV_F0 before it on this "
       "rank [paired]\n",
       Good()},
      {"paired", "SendOfTheLastStage",
       Programs(1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0",
                    "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1SEND_F0 1S@0"}),
       "rank 1, op 4 (1SEND_F0): error: has no RECV of its own [paired]\n"
       "  rank 1 | 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1SEND_F0 1S@0\n"
       "                                         ^\n",
       Good()},
      {"paired", "SendOnAnotherRank",
       Programs(1, {"0: 0F0@0 0RECV_B0 0B0@0 0A@0 0S@0",
                    "0 1: 0SEND_F0 1RECV_F0 1F0@0 1B0@0 1SEND_B0 0A@0 0S@0 1S@0"}),
       "rank 1, op 0 (0SEND_F0): error: expected on the rank of its producer, 0F0@0 on rank 0 "
       "[paired]\n"
       "  rank 1 | 0SEND_F0 1RECV_F0 1F0@0 1B0@0 1SEND_B0 ...\n"
       "           ^\n"
       "rank 1, op 1 (1RECV_F0): error: between ops of one rank; expected no SEND and RECV "
       "[paired]\n",
       Programs(1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0A@0 0S@0",
                    "0 1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 0A@0 0S@0 1S@0"})},
      {"paired", "SendAndRecvOfNothing",
       test::ForwardPrograms(1, {"0: 0F0@0 0SEND_F0 0RECV_B0", "1: 1RECV_F0 1F0@0 1SEND_B0"}),
       "rank 0, op 2 (0RECV_B0): error: receives what no op consumes [paired]\n"
       "  rank 0 | 0F0@0 0SEND_F0 0RECV_B0\n"
       "                          ^\n"
       "rank 1, op 2 (1SEND_B0): error: sends what no op produces [paired]\n",
       test::ForwardPrograms(1, {"0: 0F0@0 0SEND_F0", "1: 1RECV_F0 1F0@0"})},
  };
}

std::vector<VerifyCase> RecvCases() {
  return {
      {"paired", "NoTransfer",
       Programs(1, {"0: 0F0@0 0RECV_B0 0B0@0 0S@0", "1: 1F0@0 1B0@0 1SEND_B0 1S@0"}),
       "rank 1, op 0 (1F0@0): error: needs 0F0@0 on rank 0; expected 1RECV_F0 before it on this "
       "rank [paired]\n"
       "  rank 1 | 1F0@0 1B0@0 1SEND_B0 1S@0\n"
       "           ^\n",
       Good()},
      {"paired", "RecvWithoutASend",
       Programs(1, {"0: 0F0@0 0RECV_B0 0B0@0 0S@0", "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0"}),
       "rank 1, op 0 (1RECV_F0): error: has no SEND of its own [paired]\n"
       "  rank 1 | 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0\n"
       "           ^\n",
       Good()},
      {"paired", "TwoRecvs",
       Programs(1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0",
                    "1: 1RECV_F0 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0"}),
       "rank 1, op 1 (1RECV_F0): error: a second one; the first is 1RECV_F0 on rank 1, op 0 "
       "[paired]\n"
       "  rank 1 | 1RECV_F0 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0\n"
       "                    ^\n",
       Good()},
      {"paired", "RecvBehindItsConsumer",
       Programs(1,
                {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0", "1: 1F0@0 1RECV_F0 1B0@0 1SEND_B0 1S@0"}),
       "rank 1, op 1 (1RECV_F0): error: behind its consumer, op 0 [paired]\n"
       "  rank 1 | 1F0@0 1RECV_F0 1B0@0 1SEND_B0 1S@0\n"
       "                 ^\n"
       "rank 1, op 0 (1F0@0): error: deadlock with eager sends: waits for 1RECV_F0 on rank 1, "
       "which stands behind 1F0@0 [progress]\n"
       "  rank 1 | 1F0@0 1RECV_F0 1B0@0 1SEND_B0 1S@0\n"
       "           ^\n",
       Good()},
      {"paired", "RecvOnAnotherRank",
       Programs(1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0", "1: 1F0@0 1B0@0 1SEND_B0 1A@0 1S@0",
                    "1: 1RECV_F0 1A@0 1S@0"}),
       "rank 1, op 0 (1F0@0): error: needs 0F0@0 on rank 0; expected 1RECV_F0 before it on this "
       "rank [paired]\n"
       "  rank 1 | 1F0@0 1B0@0 1SEND_B0 1A@0 1S@0\n"
       "           ^\n"
       "rank 2, op 0 (1RECV_F0): error: expected on the rank of its consumer, 1F0@0 on rank 1 "
       "[paired]\n",
       Programs(1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0",
                    "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1A@0 1S@0", "1: 1A@0 1S@0"})},
      {"paired", "OnOneRank",
       Programs(1, {"0 1: 0F0@0 0SEND_F0 1RECV_F0 1F0@0 1B0@0 0B0@0 0S@0 1S@0"}),
       "rank 0, op 2 (1RECV_F0): error: between ops of one rank; expected no SEND and RECV "
       "[paired]\n"
       "  rank 0 | 0F0@0 0SEND_F0 1RECV_F0 1F0@0 1B0@0 0B0@0 0S@0 ...\n"
       "                          ^\n",
       Programs(1, {"0 1: 0F0@0 1F0@0 1B0@0 0B0@0 0S@0 1S@0"})},
  };
}

std::vector<VerifyCase> OrderCases() {
  return {
      {"channel-order", "ReceivedInAnotherOrder",
       Programs(2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0B0@0 0RECV_B1 0B1@0 0S@0",
                    "1: 1RECV_F1 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1F1@0 1B1@0 1SEND_B1 1S@0"}),
       "rank 1, op 0 (1RECV_F1): error: the 1st receive on the channel from rank 0 to rank 1 gets "
       "0SEND_F0, but 1RECV_F1 needs 0SEND_F1, which is sent 2nd [channel-order]\n"
       "  rank 1 | 1RECV_F1 1RECV_F0 1F0@0 1B0@0 1SEND_B0 ...\n"
       "           ^\n"
       "rank 1, op 1 (1RECV_F0): error: the 2nd receive on the channel from rank 0 to rank 1 gets "
       "0SEND_F1, but 1RECV_F0 needs 0SEND_F0, which is sent 1st [channel-order]\n",
       Programs(2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0B0@0 0RECV_B1 0B1@0 0S@0",
                    "1: 1RECV_F0 1RECV_F1 1F0@0 1B0@0 1SEND_B0 1F1@0 1B1@0 1SEND_B1 1S@0"})},
      {"collective-order", "AMemberIsMissing",
       Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0S@0"}),
       "rank 1, op 2 (0S@0): error: no A@0 before it; the stage stands on 2 ranks "
       "[replica-step]\n"
       "  rank 1 | 0F1@0 0B1@0 0S@0\n"
       "                       ^\n"
       "rank 0, op 2 (0A@0): error: only 1 of the 2 ranks that hold stage 0 reach it "
       "[collective-order]\n"
       "  rank 0 | 0F0@0 0B0@0 0A@0 0S@0\n"
       "                       ^\n",
       Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"})},
      {"collective-order", "InAnotherOrder",
       Programs(2, {"0 1: 0F0@0 1F0@0 1B0@0 0B0@0 0A@0 1A@0 0S@0 1S@0",
                    "0 1: 0F1@0 1F1@0 1B1@0 0B1@0 1A@0 0A@0 0S@0 1S@0"}),
       "rank 1: error: makes the all-reduces it shares with rank 0 in another order "
       "[collective-order]\n"
       "rank 0, op 4 (0A@0): error: deadlock with eager sends: waits for 0A@0 on rank 1, which "
       "stands behind 1A@0, which waits for 1A@0 on rank 0, which stands behind 0A@0 "
       "[progress]\n"
       "  rank 0 | 0F0@0 1F0@0 1B0@0 0B0@0 0A@0 1A@0 0S@0 1S@0\n"
       "                                   ^\n",
       Programs(2, {"0 1: 0F0@0 1F0@0 1B0@0 0B0@0 0A@0 1A@0 0S@0 1S@0",
                    "0 1: 0F1@0 1F1@0 1B1@0 0B1@0 0A@0 1A@0 0S@0 1S@0"})},
  };
}

/// 1F1B with just-in-time receives: both ranks send at once.
Schedule MutualSends() {
  return Programs(2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0B0@0 0RECV_B1 0B1@0 0S@0",
                      "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1RECV_F1 1F1@0 1B1@0 1SEND_B1 1S@0"});
}

std::vector<VerifyCase> ProgressCases() {
  const Schedule crossed =
      Programs(2, {"0: 0F0@0 0B0@0 0F1@0 0B1@0 0S@0", "1: 1F0@0 1F1@0 1B0@0 1B1@0 1S@0"});
  const Schedule good =
      Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0B1@0 0S@0", "1: 1F0@0 1F1@0 1B0@0 1B1@0 1S@0"});
  return {
      {"progress", "WithEagerSends", crossed,
       "rank 0, op 1 (0B0@0): error: deadlock with eager sends: waits for 1B0@0 on rank 1, "
       "which stands behind 1F1@0, which waits for 0F1@0 on rank 0, which stands behind 0B0@0 "
       "[progress]\n"
       "  rank 0 | 0F0@0 0B0@0 0F1@0 0B1@0 0S@0\n"
       "                 ^\n",
       good, SendMode::kEager},
      {"progress", "WithRendezvousSends", crossed,
       "rank 0, op 1 (0B0@0): error: deadlock with rendezvous sends: waits for 1B0@0 on rank 1, "
       "which stands behind 1F1@0, which waits for 0F1@0 on rank 0, which stands behind 0B0@0 "
       "[progress]\n"
       "  rank 0 | 0F0@0 0B0@0 0F1@0 0B1@0 0S@0\n"
       "                 ^\n",
       good, SendMode::kRendezvous},
      {"progress", "WithBlockingSends", MutualSends(),
       "rank 0, op 3 (0SEND_F1): error: deadlock with blocking sends: waits for 1RECV_F1 on "
       "rank 1, which stands behind 1SEND_B0, which waits for 0RECV_B0 on rank 0, which stands "
       "behind 0SEND_F1 [progress]\n"
       "  rank 0 | 0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0B0@0 0RECV_B1 0B1@0 ...\n"
       "                                ^\n",
       Lower(EraseCommunication(MutualSends())), SendMode::kBlocking},
      {"progress", "BehindALaterOpOfTheRank",
       Programs(1, {"0 1: 1F0@0 0F0@0 1B0@0 0B0@0 0S@0 1S@0"}),
       "rank 0, op 0 (1F0@0): error: deadlock with eager sends: waits for 0F0@0 on rank 0, "
       "which stands behind 1F0@0 [progress]\n"
       "  rank 0 | 1F0@0 0F0@0 1B0@0 0B0@0 0S@0 ...\n"
       "           ^\n",
       Programs(1, {"0 1: 0F0@0 1F0@0 1B0@0 0B0@0 0S@0 1S@0"})},
  };
}

void Append(std::vector<VerifyCase>& cases, const std::vector<VerifyCase>& more) {
  cases.insert(cases.end(), more.begin(), more.end());
}

TEST(VerifyCommunication, EveryCounterexampleIsReported) {
  ExpectCases(CommunicationCases());
}

TEST(VerifyCommunication, OnlyBlockingSendsDeadlockInJustInTimeOneFOneB) {
  for (const SendMode mode : {SendMode::kEager, SendMode::kRendezvous}) {
    EXPECT_EQ(test::Texts(Verify(MutualSends(), mode)), "") << ToString(mode);
  }
}

/// A V of two ranks: forwards of stage 0 and backwards of stage 3 share the channel from rank 0 to
/// rank 1, and rank 1 needs the backward first.
Schedule TwoInAV() {
  return Programs(2, {"0 3: 0F0@0 0F1@0 3F0@0 3B0@0 0B0@0 3F1@0 3B1@0 0B1@0 0S@0 3S@0",
                      "1 2: 1F0@0 2F0@0 2B0@0 1B0@0 1F1@0 2F1@0 2B1@0 1B1@0 1S@0 2S@0"});
}

TEST(VerifyCommunication, AChannelIsOneFifoForAllKindsAndStages) {
  Schedule lowered = Lower(TwoInAV(), {ReceivePolicy::Kind::kJustInTime, 0});
  EXPECT_EQ(test::Texts(Verify(lowered)), "");
  // 1RECV_F1 moves from before 2RECV_B0 to right before its consumer: the tensors would be swapped.
  Program& program = lowered.programs[1];
  const OpRef recv = test::FindOp(lowered, OpKind::kRecvForward, 1, 1);
  const OpRef consumer = test::FindOp(lowered, OpKind::kForward, 1, 1);
  std::rotate(program.begin() + recv.index, program.begin() + recv.index + 1,
              program.begin() + consumer.index);
  ASSERT_EQ(test::ProgramText(lowered, 1),
            "1RECV_F0 1F0@0 2F0@0 2SEND_F0 2RECV_B0 2B0@0 1B0@0 1SEND_B0 1RECV_F1 1F1@0 2F1@0 "
            "2SEND_F1 2RECV_B1 2B1@0 1B1@0 1SEND_B1 1S@0 2S@0");
  EXPECT_EQ(test::Texts(Verify(lowered)),
            "rank 1, op 4 (2RECV_B0): error: the 2nd receive on the channel from rank 0 to rank 1 "
            "gets 0SEND_F1, but 2RECV_B0 needs 3SEND_B0, which is sent 3rd [channel-order]\n"
            "  rank 1 | 1RECV_F0 1F0@0 2F0@0 2SEND_F0 2RECV_B0 2B0@0 1B0@0 1SEND_B0 1RECV_F1 ...\n"
            "                                         ^\n"
            "rank 1, op 8 (1RECV_F1): error: the 3rd receive on the channel from rank 0 to rank 1 "
            "gets 3SEND_B0, but 1RECV_F1 needs 0SEND_F1, which is sent 2nd [channel-order]\n");
}

TEST(VerifyCommunication, TheOrderOfChannelsAmongEachOtherIsFree) {
  // Rank 1 receives from ranks 0 and 2; which of the two it posts first does not matter.
  const Schedule schedule = Programs(1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0",
                                         "1: 1RECV_B0 1RECV_F0 1F0@0 1SEND_F0 1B0@0 1SEND_B0 1S@0",
                                         "2: 2RECV_F0 2F0@0 2B0@0 2SEND_B0 2S@0"});
  EXPECT_EQ(test::Texts(Verify(schedule)), "");
}

}  // namespace

std::vector<VerifyCase> CommunicationCases() {
  std::vector<VerifyCase> cases = SendCases();
  Append(cases, RecvCases());
  Append(cases, OrderCases());
  Append(cases, ProgressCases());
  return cases;
}

}  // namespace stagecraft
