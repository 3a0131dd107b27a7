#include "sim/durations.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "schedules/schedule.h"

namespace stagecraft {
namespace {

/// Sum of all durations of a run: half of what an int64 holds, so that no end time overflows.
constexpr double kMaxTotal = 4.6e18;

/// `cost` in nanoseconds at `speed`, without rounding and without overflow.
double Exact(Nanoseconds cost, double speed) {
  return static_cast<double>(cost.count()) / speed;
}

double ExactHold(std::int64_t bytes, const Topology& topology) {
  return topology.bandwidth > 0 ? static_cast<double>(bytes) * 1e9 / topology.bandwidth : 0;
}

/// Collects one sentence per number that is out of range.
class CostCheck {
 public:
  CostCheck(const Schedule& schedule, const Costs& costs, const Topology& topology)
      : schedule_(schedule), costs_(costs), topology_(topology) {}

  std::vector<Diagnostic> Check() {
    CheckStages();
    CheckTopology();
    if (!(std::isfinite(costs_.microbatch_size) && costs_.microbatch_size > 0)) {
      Fault("costs", fmt::format("micro-batch size {}; expected more than 0 samples",
                                 costs_.microbatch_size));
    }
    if (faults_.empty()) {
      CheckTotal();
    }
    return std::move(faults_);
  }

 private:
  void Fault(std::string where, std::string message) {
    Diagnostic& fault = faults_.emplace_back();
    fault.where = std::move(where);
    fault.message = std::move(message);
  }

  void CheckStages() {
    const std::int32_t stages = schedule_.shape.stages;
    if (costs_.stages.Count() != stages) {
      Fault("costs", fmt::format("costs of {} stages for a schedule of {}; expected one each",
                                 costs_.stages.size(), stages));
    }

    for (std::int32_t stage = 0; stage < costs_.stages.Count(); ++stage) {
      const std::string where = fmt::format("stage {}", stage);
      const StageCosts& c = costs_.stages[stage];

      CheckTime(where, "forward", c.forward);
      CheckTime(where, "backward", c.backward);
      CheckTime(where, "backward_input", c.backward_input);
      CheckTime(where, "backward_weight", c.backward_weight);
      CheckTime(where, "recompute", c.recompute);
      CheckTime(where, "step", c.step);
      CheckTime(where, "predict", c.predict);
      CheckTime(where, "allreduce", c.allreduce);
      CheckTime(where, "joined", c.joined.value_or(Nanoseconds(0)));

      CheckSize(where, "activation_bytes", c.sizes.activation_bytes);
      CheckSize(where, "input_bytes", c.sizes.input_bytes);
      CheckSize(where, "output_bytes", c.sizes.output_bytes);
      CheckSize(where, "released_by_backward_input", c.sizes.released_by_backward_input);
      CheckSize(where, "parameter_bytes", c.sizes.parameter_bytes);
      CheckSize(where, "optimizer_bytes", c.sizes.optimizer_bytes);
    }
  }

  void CheckTime(const std::string& where, std::string_view what, Nanoseconds time) {
    if (time < Nanoseconds(0) || time > kMaxDuration) {
      Fault(where, fmt::format("{} takes {} ns; expected 0 to {}", what, time.count(),
                               Nanoseconds(kMaxDuration).count()));
    }
  }

  void CheckSize(const std::string& where, std::string_view what, std::int64_t bytes) {
    if (bytes < 0 || bytes > kMaxBytes) {
      Fault(where, fmt::format("{} is {}; expected 0 to {}", what, bytes, kMaxBytes));
    }
  }

  void CheckTopology() {
    CheckTime("topology", "latency", topology_.latency);
    if (!(std::isfinite(topology_.bandwidth) && topology_.bandwidth >= 0)) {
      Fault("topology", fmt::format("bandwidth {} bytes/s; expected more than 0, or 0 for "
                                    "transfers that take the latency only",
                                    topology_.bandwidth));
    }

    const std::int32_t ranks = schedule_.shape.ranks;
    if (topology_.speed.Count() > ranks) {
      Fault("topology", fmt::format("a speed for rank {}; expected ranks 0 to {}",
                                    topology_.speed.size() - 1, ranks - 1));
    }

    for (std::int32_t rank = 0; rank < topology_.speed.Count(); ++rank) {
      const double speed = topology_.speed[rank];
      if (!(std::isfinite(speed) && speed > 0)) {
        Fault(fmt::format("rank {}", rank), fmt::format("speed {}; expected more than 0", speed));
      }
    }
  }

  /// Most schedules are far from the limit: count each op as the longest one. Only where that is
  /// too much, add up the ops.
  void CheckTotal() {
    double longest = 0;
    double slowest = 1;
    for (const double speed : topology_.speed) {
      slowest = std::min(slowest, speed);
    }

    for (const StageCosts& stage : costs_.stages) {
      for (const OpTraits& traits : AllOpTraits()) {
        longest = std::max(longest, Exact(CostOf(stage, traits.kind), slowest));
      }
      longest = std::max(longest, Exact(stage.joined.value_or(Nanoseconds(0)), slowest));
      longest = std::max(longest, ExactHold(stage.sizes.output_bytes, topology_) +
                                      static_cast<double>(topology_.latency.count()));
    }

    double ops = 0;
    for (const Program& program : schedule_.programs) {
      ops += static_cast<double>(program.size());
    }

    // Half a nanosecond of rounding per op, and twice for what a double cannot hold.
    if (2 * ops * (longest + 1) <= kMaxTotal) {
      return;
    }
    const double total = Total();
    if (!(total <= kMaxTotal)) {
      Fault("costs", fmt::format("all ops and transfers take {:.3g} ns in sum; expected at most "
                                 "{:.3g}",
                                 total, kMaxTotal));
    }
  }

  double Total() const {
    double total = 0;
    for (std::int32_t rank = 0; rank < schedule_.programs.Count(); ++rank) {
      const double speed = topology_.SpeedOf(rank);
      for (const Op& op : schedule_.programs[rank]) {
        const StageCosts& stage = costs_.stages[op.stage];
        total += 1 + Exact(CostOf(stage, op.kind), speed) +
                 Exact(stage.joined.value_or(Nanoseconds(0)), op.joined ? speed : HUGE_VAL);

        if (TraitsOf(op.kind).is_send) {
          total += ExactHold(BytesOf(op, costs_), topology_) +
                   static_cast<double>(topology_.latency.count());
        }
      }
    }
    return total;
  }

  const Schedule& schedule_;
  const Costs& costs_;
  const Topology& topology_;
  std::vector<Diagnostic> faults_;
};

}  // namespace

Nanoseconds StageCosts::*CostMemberOf(OpKind kind) {
  constexpr KindTable<Nanoseconds StageCosts::*> kMembers = {
      {&StageCosts::forward, &StageCosts::backward, &StageCosts::backward_input,
       &StageCosts::backward_weight, &StageCosts::recompute, &StageCosts::step,
       &StageCosts::predict, &StageCosts::allreduce}};
  return kMembers[kind];
}

Nanoseconds CostOf(const StageCosts& stage, OpKind kind) {
  Nanoseconds StageCosts::*const cost = CostMemberOf(kind);
  return cost == nullptr ? Nanoseconds(0) : stage.*cost;
}

Nanoseconds AtSpeed(Nanoseconds cost, double speed) {
  return speed == 1.0 ? cost : Nanoseconds(std::llround(Exact(cost, speed)));
}

Nanoseconds CellCost(std::span<const Op> cell, const Costs& costs) {
  const StageCosts& first = costs.stages[cell.front().stage];
  if (cell.size() > 1 && first.joined) {
    return *first.joined;
  }
  Nanoseconds sum{0};
  for (const Op& op : cell) {
    sum += CostOf(costs.stages[op.stage], op.kind);
  }
  return sum;
}

std::int64_t BytesOf(const Op& send, const Costs& costs) {
  const std::int32_t producer =
      send.kind == OpKind::kSendForward ? send.stage : std::max(send.stage - 1, 0);
  return costs.stages[producer].sizes.output_bytes;
}

Nanoseconds HoldTime(std::int64_t bytes, const Topology& topology) {
  return Nanoseconds(std::llround(ExactHold(bytes, topology)));
}

std::vector<Diagnostic> CheckCosts(const Schedule& schedule, const Costs& costs,
                                   const Topology& topology) {
  return CostCheck(schedule, costs, topology).Check();
}

}  // namespace stagecraft
