#include "sim/simulate.h"

#include <cstdint>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

using test::EqualCosts;
using test::kTick;
using test::Make;
using test::SimulateLowered;
using test::SimulateWith;

/// F = 1, B = 2 and a hop of `latency` tenths of a tick, on 4 ranks with 8 micro-batches.
double TicksOf(const char* name, std::int64_t latency, SendMode send = SendMode::kEager,
               const ReceivePolicy& policy = {}) {
  const Schedule schedule = Make(name, {.ranks = 4, .microbatches = 8});
  const Topology topology{.latency = latency * kTick / 10, .send = send};
  const double ticks = SimulateWith(schedule, EqualCosts(schedule, 1, 2), topology, policy).Ticks();
  std::cout << name << ", hop " << static_cast<double>(latency) / 10 << ", " << ToString(send)
            << ", receives " << ToString(policy) << ": " << ticks << "\n";
  return ticks;
}

constexpr ReceivePolicy kJustInTime{ReceivePolicy::Kind::kJustInTime, 0};

TEST(Simulate, OneFOneBWithoutHopsTakesTheClosedForm) {
  // (m + p - 1) (F + B) = 11 * 3.
  EXPECT_DOUBLE_EQ(TicksOf("1f1b", 0), 33);
}

TEST(Simulate, OneFOneBWithEagerSends) {
  // The critical path crosses 16 hops: 33 + 16 * 0.1.
  EXPECT_DOUBLE_EQ(TicksOf("1f1b", 1), 34.6);
}

TEST(Simulate, RendezvousWaitsForReceivesThatArePostedLate) {
  EXPECT_DOUBLE_EQ(TicksOf("1f1b", 1, SendMode::kRendezvous, kJustInTime), 34.9);
}

TEST(Simulate, GPipeCrossesEachHopTwice) {
  // (m + p - 1) (F + B) + 2 (p - 1) * 3 = 33 + 18.
  EXPECT_DOUBLE_EQ(TicksOf("gpipe", 30), 51);
}

TEST(Simulate, GoldenMakespansOfGPipeAndOneFOneB) {
  EXPECT_DOUBLE_EQ(TicksOf("gpipe", 0), 33);
  // 33 + 2 (p - 1) / 4.
  const Schedule gpipe = Make("gpipe", {.ranks = 4, .microbatches = 8});
  const Topology quarter{.latency = kTick / 4};
  EXPECT_DOUBLE_EQ(SimulateWith(gpipe, EqualCosts(gpipe, 1, 2), quarter).Ticks(), 34.5);
  const Schedule one_f_one_b = Make("1f1b", {.ranks = 4, .microbatches = 8});
  EXPECT_DOUBLE_EQ(SimulateWith(one_f_one_b, EqualCosts(one_f_one_b, 1, 2), quarter).Ticks(), 37);
}

// What the engines say then: events_test.cc, compile_test.cc.
TEST(Simulate, BlockingSendsWithLateReceivesAreADeadlock) {
  const Schedule lowered = Lower(Make("1f1b", {.ranks = 4, .microbatches = 8}), kJustInTime);
  const std::string text = test::Texts(Verify(lowered, SendMode::kBlocking));
  EXPECT_NE(text.find("rank 2, op 5 (2SEND_F1): error: deadlock with blocking sends: waits for "
                      "3RECV_F1 on rank 3, which stands behind 3SEND_B0, which waits for 2RECV_B0 "
                      "on rank 2, which stands behind 2SEND_F1 [progress]"),
            std::string::npos)
      << text;
}

TEST(Simulate, AChannelCarriesOneTensorAfterTheOther) {
  // Two tensors of 1 MB at 1 GB/s leave at 1 and 2 ticks of 1 ms; F is done faster than that.
  const Schedule schedule = test::ForwardPrograms(
      2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1", "1: 1RECV_F0 1F0@0 1RECV_F1 1F1@0"});
  Costs costs = EqualCosts(schedule, 0, 0);
  costs.stages[0].sizes.output_bytes = 1'000'000;
  const Topology topology{.latency = 3 * kTick, .bandwidth = 1e9};
  const test::Run run = SimulateLowered(schedule, costs, topology);
  ASSERT_EQ(run.timeline.transfers.size(), 2U);
  EXPECT_EQ(run.timeline.transfers[0].start, 0 * kTick);
  EXPECT_EQ(run.timeline.transfers[0].arrival, 4 * kTick);
  EXPECT_EQ(run.timeline.transfers[1].start, 1 * kTick);  // When the first has left.
  EXPECT_EQ(run.timeline.transfers[1].arrival, 5 * kTick);
  EXPECT_EQ(run.timeline.transfers[1].bytes, 1'000'000);
}

TEST(Simulate, ABlockingSendKeepsItsRankUntilTheArrival) {
  const Schedule schedule = test::ForwardPrograms(
      1, {"0 2: 0F0@0 0SEND_F0 2RECV_F0 2F0@0", "1: 1RECV_F0 1F0@0 1SEND_F0"});
  const Costs costs = EqualCosts(schedule, 1, 2);
  const Topology topology{.latency = 2 * kTick, .send = SendMode::kRendezvous};
  const test::Run run = SimulateLowered(schedule, costs, topology);
  EXPECT_EQ(run.At({0, 1}), (Span{1 * kTick, 1 * kTick}));
  const Schedule apart = test::ForwardPrograms(
      2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1", "1: 1RECV_F0 1F0@0 1RECV_F1 1F1@0"});
  const test::Run blocking =
      SimulateLowered(apart, costs, {.latency = 2 * kTick, .send = SendMode::kBlocking});
  EXPECT_EQ(blocking.At({0, 1}), (Span{1 * kTick, 3 * kTick}));
  EXPECT_EQ(blocking.At({0, 2}), (Span{3 * kTick, 4 * kTick}));
}

TEST(Simulate, TheMembersOfACellStartTogetherAndEndTogether) {
  const Schedule schedule = test::Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0"});
  Costs costs = EqualCosts(schedule, 1, 2);
  const test::Run sum = SimulateLowered(schedule, costs);
  EXPECT_EQ(sum.At({0, 1}), (Span{1 * kTick, 4 * kTick}));  // F + B.
  EXPECT_EQ(sum.At({0, 2}), (Span{1 * kTick, 4 * kTick}));
  costs.stages[0].joined = 2 * kTick;
  const test::Run joined = SimulateLowered(schedule, costs);
  EXPECT_EQ(joined.At({0, 2}), (Span{1 * kTick, 3 * kTick}));
}

TEST(Simulate, AnAllReduceStartsWhenTheLastMemberIsThere) {
  const Schedule schedule =
      test::Programs(3, {"0: 0F0@0 0B0@0 0F2@0 0B2@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"});
  Costs costs = EqualCosts(schedule, 1, 2);
  costs.stages[0].allreduce = 5 * kTick;
  costs.stages[0].step = 1 * kTick;
  const test::Run run = SimulateLowered(schedule, costs, {.speed = {1, 0.5}});
  // Rank 0 gets there at 6, rank 1, half as fast, at 6 too; the slower member takes 10.
  EXPECT_EQ(run.At({0, 4}), (Span{6 * kTick, 16 * kTick}));
  EXPECT_EQ(run.At({1, 2}), (Span{6 * kTick, 16 * kTick}));
  EXPECT_EQ(run.At({1, 3}), (Span{16 * kTick, 18 * kTick}));
}

TEST(Simulate, ASlowRankTakesLongerForEverything) {
  const Schedule schedule = Make("sequential", {.ranks = 1, .microbatches = 3});
  EXPECT_DOUBLE_EQ(SimulateWith(schedule, EqualCosts(schedule, 1, 2)).Ticks(), 9);
  EXPECT_DOUBLE_EQ(SimulateWith(schedule, EqualCosts(schedule, 1, 2), {.speed = {0.5}}).Ticks(),
                   18);
}

TEST(Simulate, UpdatesPredictionsAndRecomputationTakeTimeLikeAnyOp) {
  const Schedule schedule = test::Programs(1, {"0: 0P@0+1 0F0@0+1 0R0@0+1 0B0@0 0S@0"});
  Costs costs = EqualCosts(schedule, 1, 2);
  costs.stages[0].predict = 10 * kTick;
  costs.stages[0].recompute = 100 * kTick;
  costs.stages[0].step = 1000 * kTick;
  EXPECT_DOUBLE_EQ(SimulateLowered(schedule, costs).Ticks(), 1113);
}

}  // namespace
}  // namespace stagecraft
