#include "sim/replay.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/check.h"
#include "sim/timeline_writer.h"

namespace stagecraft {
namespace {

void Prepare(const CompiledSchedule& compiled, const Costs& costs, const Topology& topology,
             ReplayState& state) {
  STAGECRAFT_CHECK(topology.send == compiled.send, "a schedule is compiled for one send mode");
  state.lanes.assign(compiled.lanes, {});
  for (std::int32_t rank = 0; rank < compiled.classes.static_bytes.Count(); ++rank) {
    state.lanes[rank].level = compiled.classes.static_bytes[rank];
    state.lanes[rank].peak = compiled.classes.static_bytes[rank];
  }
  state.costs = CostsOfClasses(compiled.classes, costs, topology);
  state.at.resize(compiled.instructions.size());
  state.at[0] = 0;
}

/// The equations of `Instruction`. Calls `visit(step, start)` after each.
template <typename Visit>
void Sweep(const CompiledSchedule& compiled, ReplayState& state, const Visit& visit) {
  const Instruction* const instructions = compiled.instructions.data();
  const ClassCost* const costs = state.costs.data();
  ReplayState::Lane* const lanes = state.lanes.data();
  std::int64_t* const at = state.at.data();
  const std::size_t steps = compiled.instructions.size();

  for (std::size_t step = 1; step < steps; ++step) {
    const Instruction& instruction = instructions[step];
    const ClassCost& cost = costs[instruction.cost_class];
    ReplayState::Lane& lane = lanes[instruction.lane];
    const std::int64_t inputs = std::max(at[instruction.first], at[instruction.second]);
    const std::int64_t start = std::max(lane.free, inputs);
    const std::int64_t end = start + cost.hold;
    at[step] = end + cost.flight;
    lane.free = end;

    lane.busy += cost.hold;
    const std::int64_t level = lane.level + cost.take;
    lane.peak = std::max(lane.peak, level);
    lane.level = level + cost.give;
    visit(step, start);
  }
}

void Collect(const CompiledSchedule& compiled, ReplayState& state) {
  state.ranks.clear();
  state.makespan = Nanoseconds(0);
  for (std::int32_t rank = 0; rank < compiled.ranks; ++rank) {
    const ReplayState::Lane& lane = state.lanes[rank];
    state.ranks.push_back({Nanoseconds(lane.free), Nanoseconds(lane.busy), lane.peak});
    state.makespan = std::max(state.makespan, Nanoseconds(lane.free));
  }
}

/// `transfers` are those of `compiled`.
Timeline TimelineOf(const CompiledSchedule& compiled, Table<Transfer> transfers, const Costs& costs,
                    const Topology& topology) {
  ReplayState state;
  Prepare(compiled, costs, topology, state);
  TimelineWriter writer(compiled.ids, std::move(transfers), compiled.send,
                        BytesOfClasses(compiled.classes, costs));

  const auto ranks = static_cast<std::uint32_t>(compiled.ranks);
  Sweep(compiled, state, [&](std::size_t step, std::int64_t start) {
    const Instruction& instruction = compiled.instructions[step];
    const std::int32_t subject = compiled.subject[step];
    if (instruction.lane < ranks) {
      writer.SetOp(subject, {Nanoseconds(start), Nanoseconds(state.at[step])});
    } else {
      writer.SetTransfer(subject, Nanoseconds(state.at[instruction.first]),
                         {Nanoseconds(start), Nanoseconds(state.at[step])}, instruction.cost_class);
    }
  });

  for (const CompiledSchedule::SameSpan& same : compiled.same_spans) {
    writer.CopySpan(same.op, same.like);
  }
  return writer.Take();
}

}  // namespace

void Replay(const CompiledSchedule& compiled, const Costs& costs, const Topology& topology,
            ReplayState& state) {
  Prepare(compiled, costs, topology, state);
  Sweep(compiled, state, [](std::size_t, std::int64_t) {});
  Collect(compiled, state);
}

Timeline ReplayTimeline(const CompiledSchedule& compiled, const Costs& costs,
                        const Topology& topology) {
  return TimelineOf(compiled, compiled.transfers, costs, topology);
}

Timeline ReplayTimeline(CompiledSchedule&& compiled, const Costs& costs, const Topology& topology) {
  return TimelineOf(compiled, std::move(compiled.transfers), costs, topology);
}

}  // namespace stagecraft
