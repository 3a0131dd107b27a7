#pragma once

#include <chrono>
#include <cstdint>

#include "schedules/dependencies.h"
#include "schedules/lower.h"
#include "schedules/verify.h"
#include "sim/metrics.h"
#include "sim/simulate.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft::test {

/// One time unit of a test: whole numbers of it read as in the papers, tenths are exact.
inline constexpr Nanoseconds kTick = std::chrono::milliseconds(1);

/// Every stage the same, in ticks: F, B, and I = W = B / 2, R = F.
inline Costs EqualCosts(const Schedule& schedule, std::int64_t forward, std::int64_t backward) {
  Costs costs;
  costs.stages.resize(static_cast<std::size_t>(schedule.shape.stages));
  for (StageCosts& stage : costs.stages) {
    stage.forward = forward * kTick;
    stage.backward = backward * kTick;
    stage.backward_input = backward * kTick / 2;
    stage.backward_weight = backward * kTick / 2;
    stage.recompute = forward * kTick;
  }
  return costs;
}

/// The lowered schedule with its simulation; both engines must agree on it.
struct Run {
  Schedule schedule;
  Costs costs;
  Topology topology;
  Timeline timeline;

  const Span& At(OpRef op) const {
    return timeline.spans[static_cast<std::size_t>(OpIds(schedule).Of(op))];
  }
  Metrics Measured() const { return Measure(schedule, timeline, costs); }
  double Ticks() const {
    return static_cast<double>(Makespan(timeline).count()) / static_cast<double>(kTick.count());
  }
};

/// Simulates a schedule that has its communication, or none to do.
inline Run SimulateLowered(const Schedule& lowered, const Costs& costs,
                           const Topology& topology = {}) {
  EXPECT_EQ(Texts(Verify(lowered, topology.send)), "");
  Run run{lowered, costs, topology, Simulate(lowered, costs, topology, Engine::kReplay)};
  EXPECT_EQ(run.timeline, Simulate(lowered, costs, topology, Engine::kEvents));
  return run;
}

inline Run SimulateWith(const Schedule& schedule, const Costs& costs, const Topology& topology = {},
                        const ReceivePolicy& policy = {}) {
  return SimulateLowered(Lower(schedule, policy), costs, topology);
}

}  // namespace stagecraft::test
