#include "sim/critical_path.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

using test::EqualCosts;
using test::kTick;
using test::Make;
using test::SimulateLowered;
using test::SimulateWith;

std::string Text(const Schedule& schedule, const std::vector<CriticalStep>& path) {
  std::string text;
  for (const CriticalStep& step : path) {
    text += (text.empty() ? "" : " ") + ToString(schedule.At(step.op));
  }
  return text;
}

// The last micro-batch, forward and back, behind everything that rank 0 did before.
//
//   rank 0 | F0 F1 .  .  .  B0--- B1---
//   rank 1 | .  F0 B0--- F1 B1---
TEST(CriticalPath, FollowsLanesAndTransfers) {
  const Schedule schedule = Make("1f1b", {.ranks = 2, .microbatches = 2});
  const test::Run run = SimulateWith(schedule, EqualCosts(schedule, 1, 2), {.latency = kTick / 10});
  const std::vector<CriticalStep> path = CriticalPath(run.schedule, run.timeline, run.topology);
  EXPECT_EQ(Text(run.schedule, path), "0F0@0 0SEND_F0 1F0@0 1B0@0 1F1@0 1B1@0 1SEND_B1 0B1@0");
  EXPECT_EQ(path[1].kind, CriticalStep::Kind::kTransfer);
  EXPECT_EQ(path[1].end - path[1].start, kTick / 10);
}

TEST(CriticalPath, OfOneRankIsAllItDoes) {
  const Schedule schedule = Make("sequential", {.ranks = 1, .microbatches = 2});
  const test::Run run = SimulateWith(schedule, EqualCosts(schedule, 1, 2));
  EXPECT_EQ(Text(run.schedule, CriticalPath(run.schedule, run.timeline, run.topology)),
            "0F0@0 0B0@0 0F1@0 0B1@0");
}

// Both members reach an all-reduce of length 0 at the same time: neither waits for the other.
TEST(CriticalPath, EndsWhereAMeetingTakesNoTime) {
  const Schedule schedule =
      test::Programs(2, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"});
  const test::Run run = SimulateLowered(schedule, EqualCosts(schedule, 1, 2));
  EXPECT_EQ(Text(run.schedule, CriticalPath(run.schedule, run.timeline, run.topology)),
            "0F0@0 0B0@0");
}

TEST(CriticalPath, GoesOnAtTheLastMemberOfAnAllReduce) {
  const Schedule schedule =
      test::Programs(3, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0F2@0 0B2@0 0A@0 0S@0"});
  Costs costs = EqualCosts(schedule, 1, 2);
  costs.stages[0].allreduce = 1 * kTick;
  const test::Run run = SimulateLowered(schedule, costs);
  EXPECT_EQ(Text(run.schedule, CriticalPath(run.schedule, run.timeline, run.topology)),
            "0F1@0 0B1@0 0F2@0 0B2@0 0A@0");
}

TEST(CriticalPath, ATransferMayWaitForTheOneBeforeIt) {
  // F takes nothing, each tensor holds the channel for one tick: the second waits for the first.
  const Schedule schedule = test::ForwardPrograms(
      2, {"0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1", "1: 1RECV_F0 1F0@0 1RECV_F1 1F1@0"});
  Costs costs = EqualCosts(schedule, 0, 0);
  costs.stages[0].sizes.output_bytes = 1'000'000;
  costs.stages[1].forward = kTick / 2;
  const test::Run run = SimulateLowered(schedule, costs, {.bandwidth = 1e9});
  EXPECT_EQ(Text(run.schedule, CriticalPath(run.schedule, run.timeline, run.topology)),
            "0SEND_F0 0SEND_F1 1F1@0");
}

TEST(Sensitivities, SayHowTheMakespanChangesWithEachCost) {
  const Schedule schedule = Make("gpipe", {.ranks = 3, .microbatches = 4});
  Costs costs = EqualCosts(schedule, 1, 2);
  costs.stages[1].forward += kTick / 2;   // One critical path only: where there are several, a cost
  costs.stages[1].backward += kTick / 2;  // that falls shortens none.
  const Nanoseconds before = Makespan(SimulateWith(schedule, costs).timeline);
  const test::Run run = SimulateWith(schedule, costs);
  const std::vector<Sensitivity> parts =
      Sensitivities(run.schedule, costs, CriticalPath(run.schedule, run.timeline, run.topology));
  Nanoseconds total{0};
  for (const Sensitivity& part : parts) {
    total += part.total;
    Costs raised = costs;
    StageCosts& stage = raised.stages[static_cast<std::size_t>(part.item.index)];
    (part.item.kind == OpKind::kForward ? stage.forward : stage.backward) += Nanoseconds(1);
    EXPECT_EQ(Makespan(SimulateWith(schedule, raised).timeline) - before, Nanoseconds(part.steps))
        << ToString(part.item);
  }
  EXPECT_EQ(total, before);
}

TEST(Sensitivities, BookACellAsOneOrAsItsMembers) {
  const Schedule schedule = test::Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0"});
  Costs costs = EqualCosts(schedule, 1, 2);
  const auto parts = [&] {
    const test::Run run = SimulateLowered(schedule, costs);
    std::string text;
    for (const Sensitivity& part :
         Sensitivities(run.schedule, costs, CriticalPath(run.schedule, run.timeline, {}))) {
      text += ToString(part.item) + " x" + std::to_string(part.steps) + " " +
              std::to_string(part.total / kTick) + ", ";
    }
    return text;
  };
  EXPECT_EQ(parts(), "B of stage 0 x2 4, F of stage 0 x2 2, ");
  costs.stages[0].joined = 5 * kTick;  // A cost of its own.
  EXPECT_EQ(parts(), "cell of stage 0 x1 5, B of stage 0 x1 2, F of stage 0 x1 1, ");
}

}  // namespace
}  // namespace stagecraft
