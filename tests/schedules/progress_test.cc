#include "schedules/progress.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Programs;

ExecutionOrder Order(const Schedule& schedule, SendMode mode = SendMode::kEager) {
  return OrderOps(schedule, FindDependencies(schedule), mode);
}

std::string OrderText(const Schedule& schedule, SendMode mode = SendMode::kEager) {
  std::string line;
  for (const OpRef ref : Order(schedule, mode).order) {
    line += (line.empty() ? "" : " ") + ToString(schedule.At(ref));
  }
  return line;
}

/// `0F0@0<-1B0@0 ...`: who waits for whom.
std::string WaitText(const Schedule& schedule, const std::vector<Wait>& waits) {
  std::string line;
  for (const Wait& wait : waits) {
    line += (line.empty() ? "" : " ") + ToString(schedule.At(wait.op)) + "<-" +
            ToString(schedule.At(wait.waits_for));
  }
  return line;
}

std::string CycleText(const Schedule& schedule, SendMode mode) {
  return WaitText(schedule, Order(schedule, mode).cycle);
}

TEST(SendMode, HasAName) {
  EXPECT_EQ(ToString(SendMode::kEager), "eager");
  EXPECT_EQ(ToString(SendMode::kRendezvous), "rendezvous");
  EXPECT_EQ(ToString(SendMode::kBlocking), "blocking");
}

TEST(OrderOps, AdvancesEachRankAsFarAsItGets) {
  // Rank 0 runs its forwards and waits; rank 1 runs all; rank 0 goes on.
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0B1@0 0S@0", "1: 1F0@0 1B0@0 1F1@0 1B1@0 1S@0"});
  EXPECT_EQ(OrderText(schedule), "0F0@0 0F1@0 1F0@0 1B0@0 1F1@0 1B1@0 1S@0 0B0@0 0B1@0 0S@0");
  EXPECT_TRUE(Order(schedule).cycle.empty());
  EXPECT_TRUE(Order(schedule).stuck.empty());
}

TEST(OrderOps, ARecvOnlyPosts) {
  // The RECV_B stands before the F that makes its data possible: only its consumer waits.
  const Schedule schedule = Programs(
      1, {"0: 0RECV_B0 0F0@0 0SEND_F0 0B0@0 0S@0", "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0"});
  for (const SendMode mode : {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking}) {
    EXPECT_EQ(OrderText(schedule, mode).substr(0, 21), "0RECV_B0 0F0@0 0SEND_") << ToString(mode);
    EXPECT_EQ(Order(schedule, mode).order.size(), 10U) << ToString(mode);
  }
}

TEST(OrderOps, ACellRunsAsOneAndWaitsForAllItsInputs) {
  // (0F1;0B0) waits for 1B0; 1F1 waits for the whole cell, though 0F1 is its first member.
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0", "1: 1F0@0 1B0@0 1F1@0 1B1@0 1S@0"});
  EXPECT_EQ(OrderText(schedule), "0F0@0 1F0@0 1B0@0 0F1@0 0B0@0 1F1@0 1B1@0 1S@0 0B1@0 0S@0");
}

TEST(OrderOps, ACellThatNeedsWhatItFeedsIsADeadlock) {
  // 0B0 needs 1B0, which stands behind 1F1, which needs 0F1 in the same cell as 0B0.
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0", "1: 1F0@0 1F1@0 1B0@0 1B1@0"});
  const ExecutionOrder order = Order(schedule);
  EXPECT_EQ(WaitText(schedule, order.cycle), "0B0@0<-1B0@0 1F1@0<-0F1@0");
  EXPECT_EQ(order.order.size(), 2U);  // 0F0 and 1F0.
}

TEST(OrderOps, AllReducesWaitForEveryMember) {
  const Schedule schedule = Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"});
  EXPECT_EQ(OrderText(schedule), "0F0@0 0B0@0 0F1@0 0B1@0 0A@0 0S@0 0A@0 0S@0");
  EXPECT_EQ(Order(schedule).order.back(), (OpRef{0, 3}));
}

TEST(OrderOps, AllReducesInAnotherOrderAreADeadlock) {
  const Schedule schedule = Programs(1, {"0 1: 0A@0 1A@0", "0 1: 1A@0 0A@0"});
  EXPECT_EQ(CycleText(schedule, SendMode::kEager), "0A@0<-0A@0 1A@0<-1A@0");
}

TEST(OrderOps, AnOpCannotWaitForALaterOneOfItsRank) {
  const Schedule schedule = Programs(1, {"0 1: 1F0@0 0F0@0"});
  const ExecutionOrder order = Order(schedule);
  EXPECT_TRUE(order.order.empty());
  EXPECT_EQ(WaitText(schedule, order.cycle), "1F0@0<-0F0@0");
  EXPECT_EQ(WaitText(schedule, order.stuck), "1F0@0<-0F0@0");
}

TEST(OrderOps, FindsAShortestCycle) {
  // Ranks 0 to 2 wait in a ring of three, ranks 3 and 4 in a ring of two.
  const Schedule ring = Programs(4, {"0 1: 1F0@0 0F1@0",    // Waits for rank 1,
                                     "0 1: 1F2@0 0F0@0",    // which waits for rank 2,
                                     "0 1: 1F1@0 0F2@0",    // which waits for rank 0.
                                     "2 3: 3F3@0 2F0@0",    // Waits for rank 4,
                                     "2 3: 3F0@0 2F3@0"});  // which waits for rank 3.
  const ExecutionOrder order = Order(ring);
  EXPECT_EQ(WaitText(ring, order.cycle), "3F3@0<-2F3@0 3F0@0<-2F0@0");
  EXPECT_EQ(WaitText(ring, order.stuck),
            "1F0@0<-0F0@0 1F2@0<-0F2@0 1F1@0<-0F1@0 3F3@0<-2F3@0 3F0@0<-2F0@0");
}

TEST(OrderOps, AWaitOutsideTheCycleIsStuckButNotPartOfIt) {
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 0B0@0 0F1@0", "1: 1F0@0 1F1@0 1B0@0", "2: 2F1@0"});
  const ExecutionOrder order = Order(schedule);
  EXPECT_EQ(WaitText(schedule, order.cycle), "0B0@0<-1B0@0 1F1@0<-0F1@0");
  EXPECT_EQ(WaitText(schedule, order.stuck), "0B0@0<-1B0@0 1F1@0<-0F1@0 2F1@0<-1F1@0");
}

/// 1F1B on two ranks with just-in-time receives: rank 0 sends F1 while rank 1 sends B0.
Schedule MutualSends() {
  return Programs(2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0B0@0 0RECV_B1 0B1@0 0S@0",
                      "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1RECV_F1 1F1@0 1B1@0 1SEND_B1 1S@0"});
}

TEST(OrderOps, OnlyBlockingSendsWaitForEachOther) {
  EXPECT_EQ(CycleText(MutualSends(), SendMode::kEager), "");
  EXPECT_EQ(CycleText(MutualSends(), SendMode::kRendezvous), "");
  EXPECT_EQ(CycleText(MutualSends(), SendMode::kBlocking), "0SEND_F1<-1RECV_F1 1SEND_B0<-0RECV_B0");
  const ExecutionOrder order = Order(MutualSends(), SendMode::kBlocking);
  EXPECT_EQ(order.order.size(), 6U);  // 0F0 0SEND_F0 0F1, and 1RECV_F0 1F0 1B0.
}

TEST(OrderOps, ARendezvousHappensOncePosted) {
  // The consumer waits for its RECV to be posted, and for the SEND; the sender goes on. Here the
  // RECV is missing on the consumer's rank until after the consumer: it waits for itself.
  const Schedule schedule = Programs(1, {"0: 0F0@0 0SEND_F0", "1: 1F0@0 1RECV_F0"});
  for (const SendMode mode : {SendMode::kEager, SendMode::kRendezvous}) {
    EXPECT_EQ(CycleText(schedule, mode), "1F0@0<-1RECV_F0") << ToString(mode);
  }
}

TEST(OrderOps, DeadlockInEverySendMode) {
  // 1B0 stands behind 1F1, which rank 0 sends only after 0B0.
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0F1@0 0SEND_F1 0RECV_B1 0B1@0",
                   "1: 1RECV_F0 1F0@0 1RECV_F1 1F1@0 1B0@0 1SEND_B0 1B1@0 1SEND_B1"});
  EXPECT_EQ(CycleText(schedule, SendMode::kEager), "0B0@0<-1SEND_B0 1F1@0<-0SEND_F1");
  EXPECT_EQ(CycleText(schedule, SendMode::kRendezvous), "0B0@0<-1SEND_B0 1F1@0<-0SEND_F1");
  EXPECT_EQ(CycleText(schedule, SendMode::kBlocking), "0B0@0<-1SEND_B0 1F1@0<-0SEND_F1");
}

TEST(OrderOps, EmptyProgramsAreComplete) {
  const Schedule schedule = Programs(1, {"0:", "0:"});
  EXPECT_TRUE(Order(schedule).order.empty());
  EXPECT_TRUE(Order(schedule).stuck.empty());
}

}  // namespace
}  // namespace stagecraft
