#include "schedules/search/timed_order.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/search/dispatch.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kUnknown = -1;

/// Most that a rank keeps while it runs `program`.
std::int64_t Peak(const AutoProblem& problem, const Program& program) {
  std::int64_t kept = 0;
  std::int64_t peak = 0;
  for (const Op& op : program) {
    const StageEstimate& costs = problem.stages[op.stage];
    if (op.kind == OpKind::kForward) {
      kept += costs.kept;
      peak = std::max(peak, kept);
    } else {
      kept -= op.kind == OpKind::kBackwardInput ? costs.released : costs.kept - costs.released;
    }
  }
  return peak;
}

class Clock {
 public:
  Clock(const AutoProblem& problem, const Table<Program>& programs)
      : problem_(problem),
        programs_(programs),
        route_(RouteOf(problem)),
        forward_end_(problem.stages.Count(), problem.microbatches, kUnknown),
        backward_end_(forward_end_) {}

  /// Whether all ops could run.
  bool Run(AutoOrder& order) {
    Table<std::int32_t> next(programs_.Count());
    Table<std::int64_t> first(programs_.size(), kUnknown);
    Table<std::int64_t> free(programs_.size());

    bool moved = true;
    while (moved) {
      moved = false;
      for (std::int32_t rank = 0; rank < programs_.Count(); ++rank) {
        for (; next[rank] < programs_[rank].Count(); ++next[rank]) {
          const Op& op = programs_[rank][next[rank]];
          const std::int64_t input = InputOf(op);
          if (input == kUnknown) {
            break;
          }

          const std::int64_t start = std::max(free[rank], input);
          first[rank] = first[rank] == kUnknown ? start : first[rank];
          free[rank] = start + TimeOf(op);
          SetEnd(op, free[rank]);
          order.window = std::max(order.window, free[rank] - first[rank]);
          order.makespan = std::max(order.makespan, free[rank]);
          moved = true;
        }
      }
    }

    for (std::int32_t rank = 0; rank < programs_.Count(); ++rank) {
      if (next[rank] < programs_[rank].Count()) {
        return false;
      }
    }
    return true;
  }

 private:
  std::int64_t TimeOf(const Op& op) const {
    const StageEstimate& costs = problem_.stages[op.stage];
    return op.kind == OpKind::kForward         ? costs.forward
           : op.kind == OpKind::kBackwardInput ? costs.backward_input
                                               : costs.backward_weight;
  }

  /// When the op's input is on its rank; `kUnknown` until it has been made.
  std::int64_t InputOf(const Op& op) const {
    const auto last = problem_.stages.Count() - 1;
    if (op.kind == OpKind::kBackwardWeight) {
      return backward_end_(op.stage, op.microbatch);
    }
    if (op.kind == OpKind::kForward) {
      return op.stage == 0 ? 0 : Arrival(forward_end_, op, op.stage - 1);
    }
    return op.stage == last ? forward_end_(op.stage, op.microbatch)
                            : Arrival(backward_end_, op, op.stage + 1);
  }

  std::int64_t Arrival(const PairTable<std::int64_t>& ends, const Op& op, std::int32_t from) const {
    const std::int64_t end = ends(from, op.microbatch);
    const auto at = [&](std::int32_t stage) { return route_[stage]; };
    if (end == kUnknown || at(from) == at(op.stage)) {
      return end;
    }
    return end + problem_.stages[std::min(from, op.stage)].hop;
  }

  void SetEnd(const Op& op, std::int64_t end) {
    if (op.kind != OpKind::kBackwardWeight) {
      (op.kind == OpKind::kForward ? forward_end_ : backward_end_)(op.stage, op.microbatch) = end;
    }
  }

  const AutoProblem& problem_;
  const Table<Program>& programs_;
  Table<std::int32_t> route_;
  PairTable<std::int64_t> forward_end_;
  PairTable<std::int64_t> backward_end_;
};

}  // namespace

std::optional<AutoOrder> TimeOrder(const AutoProblem& problem, Table<Program> programs) {
  for (std::int32_t rank = 0; rank < programs.Count(); ++rank) {
    if (Peak(problem, programs[rank]) > problem.limits[rank]) {
      return std::nullopt;
    }
  }
  AutoOrder order;
  if (!Clock(problem, programs).Run(order)) {
    return std::nullopt;
  }
  order.programs = std::move(programs);
  return order;
}

std::int64_t MostKept(const AutoProblem& problem, const Table<Program>& programs) {
  std::int64_t most = 0;
  for (const Program& program : programs) {
    most = std::max(most, Peak(problem, program));
  }
  return most;
}

}  // namespace stagecraft
