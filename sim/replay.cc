#include "sim/replay.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/check.h"
#include "sim/durations.h"

namespace stagecraft {
namespace {

std::int64_t HoldOf(const CompiledSchedule& compiled, const CostClass& cost_class,
                    const Costs& costs, const Topology& topology) {
  const auto begin = static_cast<std::size_t>(cost_class.begin);
  const auto count = static_cast<std::size_t>(cost_class.end) - begin;
  const std::span<const Op> ops(compiled.class_ops.data() + begin, count);
  switch (cost_class.rule) {
    case CostClass::Rule::kNothing:
      return 0;
    case CostClass::Rule::kCell:
      return AtSpeed(CellCost(ops, costs), topology.SpeedOf(cost_class.rank)).count();
    case CostClass::Rule::kTransfer:
      return HoldTime(BytesOf(ops.front(), costs), topology).count();
    case CostClass::Rule::kSlowest:
      break;
  }
  std::int64_t slowest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    slowest = std::max(slowest, AtSpeed(CellCost(ops.subspan(i, 1), costs),
                                        topology.SpeedOf(compiled.class_ranks[begin + i]))
                                    .count());
  }
  return slowest;
}

void Prepare(const CompiledSchedule& compiled, const Costs& costs, const Topology& topology,
             ReplayState& state) {
  STAGECRAFT_CHECK(topology.send == compiled.send, "a schedule is compiled for one send mode");
  state.lanes.assign(static_cast<std::size_t>(compiled.lanes), {});
  for (std::size_t rank = 0; rank < compiled.static_bytes.size(); ++rank) {
    state.lanes[rank].level = compiled.static_bytes[rank];
    state.lanes[rank].peak = compiled.static_bytes[rank];
  }
  state.costs.clear();
  state.costs.reserve(compiled.classes.size());
  for (const CostClass& cost_class : compiled.classes) {
    const bool transfer = cost_class.rule == CostClass::Rule::kTransfer;
    state.costs.push_back({HoldOf(compiled, cost_class, costs, topology),
                           transfer ? topology.latency.count() : 0, cost_class.take,
                           cost_class.give});
  }
  state.at.resize(compiled.instructions.size());
  state.at[0] = 0;
}

/// The equations of `Instruction`. Calls `visit(step, start, end)` after each.
template <typename Visit>
void Sweep(const CompiledSchedule& compiled, ReplayState& state, const Visit& visit) {
  const Instruction* const instructions = compiled.instructions.data();
  const ReplayState::Cost* const costs = state.costs.data();
  ReplayState::Lane* const lanes = state.lanes.data();
  std::int64_t* const at = state.at.data();
  const std::size_t steps = compiled.instructions.size();
  for (std::size_t step = 1; step < steps; ++step) {
    const Instruction& instruction = instructions[step];
    const ReplayState::Cost& cost = costs[instruction.cost_class];
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
    visit(step, start, end);
  }
}

void Collect(const CompiledSchedule& compiled, ReplayState& state) {
  state.ranks.clear();
  state.makespan = Nanoseconds(0);
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(compiled.ranks); ++rank) {
    const ReplayState::Lane& lane = state.lanes[rank];
    state.ranks.push_back({Nanoseconds(lane.free), Nanoseconds(lane.busy), lane.peak});
    state.makespan = std::max(state.makespan, Nanoseconds(lane.free));
  }
}

/// Bytes that the transfers of each class carry.
std::vector<std::int64_t> BytesOfClasses(const CompiledSchedule& compiled, const Costs& costs) {
  std::vector<std::int64_t> bytes;
  bytes.reserve(compiled.classes.size());
  for (const CostClass& cost_class : compiled.classes) {
    const bool transfer = cost_class.rule == CostClass::Rule::kTransfer;
    bytes.push_back(
        transfer ? BytesOf(compiled.class_ops[static_cast<std::size_t>(cost_class.begin)], costs)
                 : 0);
  }
  return bytes;
}

}  // namespace

void Replay(const CompiledSchedule& compiled, const Costs& costs, const Topology& topology,
            ReplayState& state) {
  Prepare(compiled, costs, topology, state);
  Sweep(compiled, state, [](std::size_t, std::int64_t, std::int64_t) {});
  Collect(compiled, state);
}

Timeline ReplayTimeline(CompiledSchedule compiled, const Costs& costs, const Topology& topology) {
  ReplayState state;
  Prepare(compiled, costs, topology, state);
  Timeline timeline;
  timeline.transfers = std::move(compiled.transfers);
  timeline.spans.resize(static_cast<std::size_t>(compiled.ops) + 1);  // The last is a waste bin.
  const auto ranks = static_cast<std::uint32_t>(compiled.ranks);
  const std::vector<std::int64_t> bytes = BytesOfClasses(compiled, costs);
  const bool blocking = compiled.send == SendMode::kBlocking;
  Sweep(compiled, state, [&](std::size_t step, std::int64_t start, std::int64_t end) {
    const auto subject = static_cast<std::size_t>(compiled.subject[step]);
    const Instruction& instruction = compiled.instructions[step];
    if (instruction.lane < ranks) {
      timeline.spans[subject] = {Nanoseconds(start), Nanoseconds(end)};
      return;
    }
    Transfer& transfer = timeline.transfers[subject];
    transfer.start = Nanoseconds(start);
    transfer.arrival = Nanoseconds(state.at[step]);
    transfer.bytes = bytes[instruction.cost_class];
    const Nanoseconds reached(state.at[instruction.first]);
    timeline.spans[static_cast<std::size_t>(
        compiled.rank_begin[static_cast<std::size_t>(transfer.send.rank)] + transfer.send.index)] =
        {reached, blocking ? transfer.arrival : reached};
  });
  timeline.spans.pop_back();
  for (const CompiledSchedule::SameSpan& same : compiled.same_spans) {
    timeline.spans[static_cast<std::size_t>(same.op)] =
        timeline.spans[static_cast<std::size_t>(same.like)];
  }
  return timeline;
}

}  // namespace stagecraft
