#include "sim/simulate.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "schedules/check.h"
#include "schedules/tables.h"
#include "sim/cost_classes.h"
#include "sim/events.h"
#include "sim/timeline_writer.h"
#include "sim/walk.h"
#include "sim/walk_plan.h"

namespace stagecraft {
namespace {

/// Times the steps of a walk at once: `Compile` and one `Replay` without the list in between. A
/// step is the time at which its result is there.
class Timer {
 public:
  using Step = std::int64_t;
  static constexpr Step kTimeZero = 0;
  static constexpr Step kUnknown = -1;

  Timer(Table<ClassCost> costs, std::int32_t lanes, TimelineWriter& writer)
      : costs_(std::move(costs)), free_(lanes, 0), writer_(writer) {}

  Step Run(StepInputs<Step> inputs, std::uint32_t lane, std::uint32_t cost_class, std::int32_t op) {
    const Step start = std::max(free_[lane], std::max(inputs.first, inputs.second));
    const Step end = start + costs_[cost_class].hold;
    free_[lane] = end;
    writer_.SetOp(op, {Nanoseconds(start), Nanoseconds(end)});
    return end;
  }

  Step Carry(StepInputs<Step> inputs, TransferPlan plan, std::int32_t transfer) {
    const Step start = std::max(free_[plan.lane], std::max(inputs.first, inputs.second));
    free_[plan.lane] = start + costs_[plan.cost_class].hold;
    const Step arrival = free_[plan.lane] + costs_[plan.cost_class].flight;
    writer_.SetTransfer(transfer, Nanoseconds(inputs.first),
                        {Nanoseconds(start), Nanoseconds(arrival)}, plan.cost_class);
    return arrival;
  }

  void SameSpan(std::int32_t op, std::int32_t like) { writer_.CopySpan(op, like); }

 private:
  Table<ClassCost> costs_;
  Table<std::int64_t> free_;  ///< Per lane.
  TimelineWriter& writer_;
};

Timeline WalkThrough(const Schedule& schedule, const Dependencies& dependencies, const Costs& costs,
                     const Topology& topology) {
  WalkPlan plan = PlanWalk(schedule, dependencies);
  Table<Transfer> transfers = std::move(plan.transfers);
  TimelineWriter writer(plan.ids, std::move(transfers), topology.send,
                        BytesOfClasses(plan.classes, costs));
  Timer timer(CostsOfClasses(plan.classes, costs, topology), plan.Lanes(), writer);
  const bool finished = Walk<Timer>(schedule, dependencies, topology.send, plan, timer).Finish();
  STAGECRAFT_CHECK(finished, "only a verified schedule can be simulated");
  return writer.Take();
}

}  // namespace

Timeline Simulate(const Schedule& schedule, const Costs& costs, const Topology& topology,
                  Engine engine) {
  return Simulate(schedule, FindDependencies(schedule), costs, topology, engine);
}

Timeline Simulate(const Schedule& schedule, const Dependencies& dependencies, const Costs& costs,
                  const Topology& topology, Engine engine) {
  if (engine == Engine::kReplay) {
    return WalkThrough(schedule, dependencies, costs, topology);
  }
  std::optional<Timeline> timeline = RunEvents(schedule, dependencies, costs, topology);
  STAGECRAFT_CHECK(timeline, "only a verified schedule can be simulated");
  return *std::move(timeline);
}

}  // namespace stagecraft
