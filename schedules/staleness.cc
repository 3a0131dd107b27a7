#include "schedules/staleness.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

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
      : schedule_(schedule), local_(schedule.shape.stages, 0) {}

  template <typename Visit>
  void Walk(std::int32_t rank, const Visit& visit) {
    const Table<std::int32_t>& stages = schedule_.placement[rank];
    for (std::int32_t i = 0; i < stages.Count(); ++i) {
      local_[stages[i]] = i;
    }

    // A gradient's F is on its own rank and before it, so entries of other ranks are never read.
    if (stages.Count() > places_) {
      places_ = stages.Count();
      reads_ = PairTable<Read>(places_, schedule_.shape.microbatches);
    }
    pending_.assign(stages.size(), {});

    const Program& program = schedule_.programs[rank];
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      const Op& op = program[i];
      const OpRef ref{rank, i};
      if (op.kind == OpKind::kForward) {
        reads_(LocalOf(op), op.microbatch) = {ref, op.version, op.horizon};
      } else if (TraitsOf(op.kind).accumulates) {
        pending_[LocalOf(op)].push_back(ref);
      } else if (op.kind == OpKind::kStep) {
        Step(op, visit);
      }
    }
  }

 private:
  std::int32_t LocalOf(const Op& op) const { return local_[op.stage]; }

  template <typename Visit>
  void Step(const Op& step, const Visit& visit) {
    Table<OpRef>& pending = pending_[LocalOf(step)];
    for (const OpRef gradient : pending) {
      const Op& op = schedule_.At(gradient);
      const Read read = reads_(LocalOf(op), op.microbatch);
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
  Table<std::int32_t> local_;    ///< Per stage: its place on the rank being walked.
  std::int32_t places_ = 0;      ///< Most of any rank so far.
  PairTable<Read> reads_;        ///< Per such place and micro-batch: what its F reads.
  Table<Table<OpRef>> pending_;  ///< Per such place: gradients since the last S.
};

/// Of one stage: staleness while its uses come in.
struct Tally {
  StageStaleness result;
  std::int32_t last_step = -1;
  Table<std::int64_t> counts;  ///< Staleness 0, 1, ...: kept out of the map while counting.

  void Add(const GradientUse& use) {
    const std::int32_t missed = use.step_version - use.version;
    const std::int32_t nominal = missed - use.horizon;
    result.max = std::max(result.max, missed);
    if (missed >= counts.Count()) {
      counts.resize(missed + 1, 0);
    }
    ++counts[missed];

    // The last S that uses any says what is steady.
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
    for (std::int32_t missed = 0; missed < counts.Count(); ++missed) {
      if (counts[missed] > 0) {
        result.histogram[missed] = counts[missed];
      }
    }
    return std::move(result);
  }
};

}  // namespace

Table<StageStaleness> FindStaleness(const Schedule& schedule) {
  Table<Tally> tallies(schedule.shape.stages);
  UseWalk walk(schedule);
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    walk.Walk(rank, [&](const GradientUse& use) { tallies[use.stage].Add(use); });
  }
  Table<StageStaleness> stages;
  stages.reserve(tallies.size());
  for (Tally& tally : tallies) {
    stages.push_back(tally.Finish());
  }
  return stages;
}

std::vector<GradientUse> GradientUses(const Schedule& schedule) {
  std::vector<GradientUse> uses;
  UseWalk walk(schedule);
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    walk.Walk(rank, [&](const GradientUse& use) { uses.push_back(use); });
  }
  return uses;
}

}  // namespace stagecraft
