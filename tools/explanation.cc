#include "tools/explanation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "schedules/staleness.h"

namespace stagecraft {
namespace {

constexpr std::size_t kRemediesTried = 4;

bool IsTransfer(const Sensitivity& cost) {
  return IsCommunication(cost.kind);
}

/// The costs that could be reduced: one per kind and stage, and all transfers as one.
std::vector<Sensitivity> Reducible(const std::vector<Sensitivity>& costs) {
  std::vector<Sensitivity> reducible;
  Sensitivity transfers;
  transfers.kind = OpKind::kSendForward;
  for (const Sensitivity& cost : costs) {
    if (IsTransfer(cost)) {
      transfers.steps += cost.steps;
      transfers.total += cost.total;
    } else {
      reducible.push_back(cost);
    }
  }
  if (transfers.steps > 0) {
    reducible.push_back(transfers);
  }
  std::stable_sort(reducible.begin(), reducible.end(),
                   [](const Sensitivity& a, const Sensitivity& b) { return a.total > b.total; });
  return reducible;
}

Nanoseconds TenthLess(Nanoseconds duration) {
  return Nanoseconds(std::llround(static_cast<double>(duration.count()) * 0.9));
}

Nanoseconds& CostOf(StageCosts& costs, OpKind kind) {
  switch (kind) {
    case OpKind::kForward:
      return costs.forward;
    case OpKind::kBackward:
      return costs.backward;
    case OpKind::kBackwardInput:
      return costs.backward_input;
    case OpKind::kBackwardWeight:
      return costs.backward_weight;
    case OpKind::kRecompute:
      return costs.recompute;
    case OpKind::kPredict:
      return costs.predict;
    case OpKind::kAllReduce:
      return costs.allreduce;
    default:
      return costs.step;
  }
}

Remedy Try(const SimulatedRun& run, const Sensitivity& cost) {
  Costs costs = run.costs;
  Topology topology = run.topology;
  if (IsTransfer(cost)) {
    topology.latency = TenthLess(topology.latency);
    topology.bandwidth /= 0.9;
  } else {
    Nanoseconds& reduced = CostOf(costs.stages[static_cast<std::size_t>(cost.stage)], cost.kind);
    reduced = TenthLess(reduced);
  }
  return {cost, run.metrics.makespan, Makespan(Simulate(run.lowered, costs, topology))};
}

/// Forward and backward of one micro-batch on all stages of a rank, at its speed.
Nanoseconds RankTime(const SimulatedRun& run, std::size_t rank) {
  Nanoseconds sum{0};
  for (const std::int32_t stage : run.lowered.placement[rank]) {
    const StageCosts& costs = run.costs.stages[static_cast<std::size_t>(stage)];
    sum += costs.forward + costs.backward;
  }
  const double speed = rank < run.topology.speed.size() ? run.topology.speed[rank] : 1;
  return Nanoseconds(std::llround(static_cast<double>(sum.count()) / speed));
}

/// Updates of stage 0 if each waits for its own micro-batches, so that the pipeline empties; else
/// the whole run is one batch.
std::int64_t Batches(const Schedule& schedule) {
  const std::vector<StageStaleness> staleness = FindStaleness(schedule);
  const bool flushes = std::all_of(staleness.begin(), staleness.end(), [](const StageStaleness& s) {
    return s.max == 0 && !s.histogram.empty();
  });
  if (!flushes) {
    return 1;
  }
  std::int64_t steps = 0;
  for (const std::vector<Op>& program : schedule.programs) {
    steps += std::count_if(program.begin(), program.end(),
                           [](const Op& op) { return op.kind == OpKind::kStep && op.stage == 0; });
  }
  return std::max<std::int64_t>(1, steps);
}

std::optional<NaiveEstimate> EstimateNaively(const SimulatedRun& run) {
  const Shape& shape = run.lowered.shape;
  std::size_t placed = 0;
  for (const std::vector<std::int32_t>& stages : run.lowered.placement) {
    placed += stages.size();
  }
  if (placed != static_cast<std::size_t>(shape.stages)) {
    return std::nullopt;
  }
  NaiveEstimate naive;
  naive.batches = Batches(run.lowered);
  naive.microbatches = shape.microbatches / naive.batches;
  for (std::size_t rank = 0; rank < run.lowered.placement.size(); ++rank) {
    naive.slowest = std::max(naive.slowest, RankTime(run, rank));
  }
  const std::int64_t slots = naive.microbatches + shape.ranks - 1;
  naive.makespan = naive.slowest * (slots * naive.batches);
  naive.bubble = static_cast<double>(shape.ranks - 1) / static_cast<double>(slots);
  return naive;
}

}  // namespace

Explanation Explain(const SimulatedRun& run, Progress& progress) {
  Explanation explanation;
  progress.Begin("following the critical path");
  explanation.path = CriticalPath(run.lowered, run.timeline, run.topology);
  explanation.costs = Sensitivities(run.lowered, run.costs, explanation.path);
  explanation.naive = EstimateNaively(run);
  std::vector<Sensitivity> reducible = Reducible(explanation.costs);
  reducible.resize(std::min(reducible.size(), kRemediesTried));
  for (const Sensitivity& cost : reducible) {
    progress.Begin("trying remedies");
    explanation.remedies.push_back(Try(run, cost));
  }
  std::stable_sort(explanation.remedies.begin(), explanation.remedies.end(),
                   [](const Remedy& a, const Remedy& b) { return a.after < b.after; });
  return explanation;
}

}  // namespace stagecraft
