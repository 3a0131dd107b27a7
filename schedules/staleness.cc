#include "schedules/staleness.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace stagecraft {
namespace {

struct Read {
  OpRef forward;
  std::int32_t version = 0;
  std::int32_t horizon = 0;
};

/// Walks programs and gives every use of a gradient by an S to `visit`.
class UseWalk {
 public:
  explicit UseWalk(const Schedule& schedule)
      : schedule_(schedule), local_(static_cast<std::size_t>(schedule.shape.stages), 0) {}

  template <typename Visit>
  void Walk(std::size_t rank, const Visit& visit) {
    const std::vector<std::int32_t>& stages = schedule_.placement[rank];
    for (std::size_t i = 0; i < stages.size(); ++i) {
      local_[static_cast<std::size_t>(stages[i])] = i;
    }
    // A gradient's F is on its own rank and before it, so entries of other ranks are never read.
    reads_.resize(std::max(reads_.size(), stages.size() * Microbatches()));
    pending_.assign(stages.size(), {});
    const std::vector<Op>& program = schedule_.programs[rank];
    for (std::size_t i = 0; i < program.size(); ++i) {
      const Op& op = program[i];
      const OpRef ref{static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)};
      if (op.kind == OpKind::kForward) {
        reads_[PairOf(op)] = {ref, op.version, op.horizon};
      } else if (TraitsOf(op.kind).accumulates) {
        pending_[LocalOf(op)].push_back(ref);
      } else if (op.kind == OpKind::kStep) {
        Step(op, visit);
      }
    }
  }

 private:
  std::size_t Microbatches() const {
    return static_cast<std::size_t>(schedule_.shape.microbatches);
  }
  std::size_t LocalOf(const Op& op) const { return local_[static_cast<std::size_t>(op.stage)]; }
  std::size_t PairOf(const Op& op) const {
    return LocalOf(op) * Microbatches() + static_cast<std::size_t>(op.microbatch);
  }

  template <typename Visit>
  void Step(const Op& step, const Visit& visit) {
    std::vector<OpRef>& pending = pending_[LocalOf(step)];
    for (const OpRef gradient : pending) {
      const Op& op = schedule_.At(gradient);
      const Read read = reads_[PairOf(op)];
      visit(GradientUse{.gradient = gradient,
                        .forward = read.forward,
                        .stage = step.stage,
                        .microbatch = op.microbatch,
                        .version = read.version,
                        .horizon = read.horizon,
                        .step_version = step.version});
    }
    pending.clear();
  }

  const Schedule& schedule_;
  std::vector<std::size_t> local_;           ///< Per stage: its place on the rank being walked.
  std::vector<Read> reads_;                  ///< Per such place and micro-batch: what its F reads.
  std::vector<std::vector<OpRef>> pending_;  ///< Per such place: gradients since the last S.
};

/// Of one stage: staleness while its uses come in.
struct Tally {
  StageStaleness result;
  std::int32_t last_step = -1;
  std::vector<std::int64_t> counts;  ///< Staleness 0, 1, ...: kept out of the map while counting.

  void Add(const GradientUse& use) {
    const std::int32_t missed = use.step_version - use.version;
    const std::int32_t nominal = missed - use.horizon;
    result.max = std::max(result.max, missed);
    if (static_cast<std::size_t>(missed) >= counts.size()) {
      counts.resize(static_cast<std::size_t>(missed) + 1, 0);
    }
    ++counts[static_cast<std::size_t>(missed)];
    if (use.step_version > last_step) {
      last_step = use.step_version;
      result.steady = missed;
      result.nominal_steady = nominal;
    } else if (use.step_version == last_step) {
      result.steady = std::max(*result.steady, missed);
      if (std::abs(nominal) > std::abs(*result.nominal_steady)) {
        result.nominal_steady = nominal;
      }
    }
  }

  StageStaleness Finish() {
    for (std::size_t missed = 0; missed < counts.size(); ++missed) {
      if (counts[missed] > 0) {
        result.histogram[static_cast<std::int32_t>(missed)] = counts[missed];
      }
    }
    return std::move(result);
  }
};

}  // namespace

std::vector<StageStaleness> FindStaleness(const Schedule& schedule) {
  std::vector<Tally> tallies(static_cast<std::size_t>(schedule.shape.stages));
  UseWalk walk(schedule);
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    walk.Walk(rank, [&](const GradientUse& use) {
      tallies[static_cast<std::size_t>(use.stage)].Add(use);
    });
  }
  std::vector<StageStaleness> stages;
  stages.reserve(tallies.size());
  for (Tally& tally : tallies) {
    stages.push_back(tally.Finish());
  }
  return stages;
}

std::vector<GradientUse> GradientUses(const Schedule& schedule) {
  std::vector<GradientUse> uses;
  UseWalk walk(schedule);
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    walk.Walk(rank, [&](const GradientUse& use) { uses.push_back(use); });
  }
  return uses;
}

}  // namespace stagecraft
