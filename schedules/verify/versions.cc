#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>

#include <fmt/format.h>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/verify/findings.h"

namespace stagecraft {
namespace {

/// The predictions written so far for one stage. Most reads name one of the last few; only when
/// that fails are all of them put into a hash table.
class Predictions {
 public:
  void Add(const Op& op) {
    keys_.push_back(Key(op));
    if (!all_.empty()) {
      all_.insert(keys_.back());
    }
  }

  bool Has(const Op& op) {
    constexpr std::size_t kRecent = 8;
    const std::uint64_t key = Key(op);
    const std::size_t recent = std::min(kRecent, keys_.size());
    if (std::find(keys_.end() - static_cast<std::ptrdiff_t>(recent), keys_.end(), key) !=
        keys_.end()) {
      return true;
    }
    if (all_.empty()) {
      all_.insert(keys_.begin(), keys_.end());
    }
    return all_.count(key) > 0;
  }

 private:
  static std::uint64_t Key(const Op& op) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(op.version)) << 16U |
           static_cast<std::uint16_t>(op.horizon);
  }

  std::vector<std::uint64_t> keys_;
  std::unordered_set<std::uint64_t> all_;
};

/// What is known of one stage on one rank at one point of its program.
struct StageState {
  bool placed = false;
  std::int32_t newest = 0;
  std::int64_t gradients = 0;         ///< Since the last S.
  std::int32_t last_gradient = -1;    ///< Op index.
  std::int32_t last_all_reduce = -1;  ///< Op index, since the last S.
  Predictions predictions;
};

/// Walks the program of each rank once.
class VersionCheck {
 public:
  VersionCheck(const Schedule& schedule, Findings& findings)
      : schedule_(schedule),
        findings_(findings),
        replicas_(schedule.shape.stages, 0),
        gradients_of_(replicas_.size()),
        states_(replicas_.size()) {
    for (const Table<std::int32_t>& stages : schedule.placement) {
      for (const std::int32_t stage : stages) {
        ++replicas_[stage];
      }
    }
  }

  void Walk(std::int32_t rank) {
    const Table<std::int32_t>& stages = schedule_.placement[rank];
    for (const std::int32_t stage : stages) {
      states_[stage] = {};
      states_[stage].placed = true;
    }

    const Program& program = schedule_.programs[rank];
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      Visit({rank, i}, program[i]);
    }
    if (!program.empty() && program.back().joined) {
      findings_.Add("cell", OpRef{rank, program.Count() - 1},
                    "joined with a next op, but it is the last");
    }
    for (const std::int32_t stage : stages) {
      Leave(rank, stage);
    }
  }

  void Finish() {
    for (std::size_t stage = 0; stage < gradients_of_.size(); ++stage) {
      for (std::size_t version = 0; version < gradients_of_[stage].size(); ++version) {
        if (gradients_of_[stage][version] == 0) {
          findings_.Add("step-gradient", fmt::format("stage {}", stage),
                        fmt::format("no replica has a gradient for its S@{}", version));
        }
      }
    }
  }

 private:
  void Visit(OpRef ref, const Op& op) {
    StageState& state = states_[op.stage];
    if (!state.placed) {
      findings_.Add("on-its-rank", ref,
                    fmt::format("stage {} is not placed on rank {}", op.stage, ref.rank));
      return;
    }

    const OpTraits& traits = TraitsOf(op.kind);
    if (traits.reads_weights) {
      CheckRead(ref, op, state);
    }
    if (traits.accumulates) {
      ++state.gradients;
      state.last_gradient = ref.index;
    }

    if (op.kind == OpKind::kPredict) {
      CheckPredict(ref, op, state);
    } else if (op.kind == OpKind::kAllReduce) {
      CheckAllReduce(ref, op, state);
    } else if (op.kind == OpKind::kStep) {
      CheckStep(ref, op, state);
    }

    if (op.joined && ref.index + 1 < Size(ref.rank)) {
      CheckCell(ref);
    }
  }

  void CheckRead(OpRef ref, const Op& op, StageState& state) {
    if (op.version > state.newest) {
      findings_.Add(
          "version-exists", ref,
          fmt::format("reads version {}, but the newest here is {}", op.version, state.newest));
    }
    if (op.horizon != 0) {
      CheckHorizon(ref, op);
      if (!state.predictions.Has(op)) {
        findings_.Add("prediction-exists", ref,
                      fmt::format("no P@{}{:+} of stage {} before it on this rank", op.version,
                                  op.horizon, op.stage));
      }
    }
  }

  void CheckHorizon(OpRef ref, const Op& op) {
    if (std::int64_t{op.version} + op.horizon < 0) {
      findings_.Add("horizon", ref,
                    fmt::format("version {} with horizon {} is before the first version",
                                op.version, op.horizon));
    }
  }

  void CheckPredict(OpRef ref, const Op& op, StageState& state) {
    CheckHorizon(ref, op);
    if (op.horizon == 0) {
      findings_.Add("horizon", ref, "a prediction without a horizon; expected +N or -N");
    }
    if (op.version != state.newest) {
      findings_.Add("predict-newest", ref,
                    fmt::format("starts from version {}, but the newest here is {}", op.version,
                                state.newest));
    }
    state.predictions.Add(op);
  }

  void CheckAllReduce(OpRef ref, const Op& op, StageState& state) {
    if (replicas_[op.stage] < 2) {
      findings_.Add("replica-step", ref, "stage stands on one rank only; expected no A");
    } else if (op.version != state.newest) {
      findings_.Add("replica-step", ref,
                    fmt::format("names version {}; expected {}, the one its S steps", op.version,
                                state.newest));
    } else if (state.last_all_reduce >= 0) {
      findings_.Add("replica-step", ref,
                    fmt::format("a second A for one S; the first is op {}", state.last_all_reduce));
    }
    state.last_all_reduce = ref.index;
  }

  void CheckStep(OpRef ref, const Op& op, StageState& state) {
    if (schedule_.mode == Mode::kForward) {
      findings_.Add("backward-once", ref, "in forward mode; expected only F");
    }
    if (op.version != state.newest) {
      findings_.Add(
          "step-versions", ref,
          fmt::format("steps version {}, but the newest here is {}", op.version, state.newest));
    }

    // Replicas share their gradients, so that one of them may have none of its own.
    if (replicas_[op.stage] > 1) {
      Table<std::int64_t>& gradients = gradients_of_[op.stage];
      gradients.resize(std::max(gradients.Count(), state.newest + 1), 0);
      gradients[state.newest] += state.gradients;
      CheckReduced(ref, op, state);
    } else if (state.gradients == 0) {
      findings_.Add("step-gradient", ref, "no gradient since the S before it");
    }

    ++state.newest;
    state.gradients = 0;
    state.last_gradient = -1;
    state.last_all_reduce = -1;
  }

  void CheckReduced(OpRef ref, const Op& op, const StageState& state) {
    if (state.last_all_reduce < 0) {
      findings_.Add("replica-step", ref,
                    fmt::format("no A@{} before it; the stage stands on {} ranks", op.version,
                                replicas_[op.stage]));
    } else if (state.last_gradient > state.last_all_reduce) {
      findings_.Add("replica-step", ref,
                    fmt::format("gradient of op {} comes after the A, op {}", state.last_gradient,
                                state.last_all_reduce));
    }
  }

  std::int32_t Size(std::int32_t rank) const { return schedule_.programs[rank].Count(); }

  /// The op at `ref` against every later member of its cell.
  void CheckCell(OpRef ref) {
    const Program& program = schedule_.programs[ref.rank];
    const Op& op = schedule_.At(ref);
    const std::int32_t end = CellEnd(program, ref.index);

    constexpr std::int32_t kMaxMembers = 64;  // Keeps the comparison of all pairs small.
    if (end - ref.index > kMaxMembers) {
      findings_.Add("cell", ref, fmt::format("a cell of more than {} ops", kMaxMembers));
      return;
    }

    for (std::int32_t index = ref.index + 1; index < end; ++index) {
      const Op& other = program[index];
      if (!IsCompute(op.kind) || !IsCompute(other.kind)) {
        findings_.Add(
            "cell", ref,
            fmt::format("joined with {}; only F, B, I, W and R form cells", ToString(other)));
        return;
      }
      if (DependOnEachOther(op, other) || DependOnEachOther(other, op)) {
        findings_.Add("cell", ref,
                      fmt::format("joined with {}, but one needs the other", ToString(other)));
      }
    }
  }

  /// Whether `second` consumes what `first` produces, or reads what it keeps.
  static bool DependOnEachOther(const Op& first, const Op& second) {
    if (first.microbatch != second.microbatch) {
      return false;
    }
    if (first.stage == second.stage) {
      return true;
    }
    const bool forward = first.kind == OpKind::kForward && second.kind == OpKind::kForward;
    const bool backward =
        TraitsOf(first.kind).gives_input_gradient && TraitsOf(second.kind).gives_input_gradient;
    return (forward && second.stage == first.stage + 1) ||
           (backward && second.stage == first.stage - 1);
  }

  void Leave(std::int32_t rank, std::int32_t stage) {
    StageState& state = states_[stage];
    if (state.gradients > 0) {
      findings_.Add("step-gradient", OpRef{rank, state.last_gradient},
                    fmt::format("{} gradient{} of stage {} without an S behind", state.gradients,
                                state.gradients == 1 ? "" : "s", stage));
    }

    // All replicas of a stage step equally often.
    if (replicas_[stage] > 1 && replica_steps_.size() < replicas_.size()) {
      replica_steps_.resize(replicas_.size(), -1);
    }
    if (replicas_[stage] > 1) {
      std::int32_t& steps = replica_steps_[stage];
      if (steps >= 0 && steps != state.newest) {
        findings_.Add("replica-step", fmt::format("rank {}", rank),
                      fmt::format("steps stage {} {} times, but a replica {} times", stage,
                                  state.newest, steps));
      }
      steps = steps < 0 ? state.newest : steps;
    }
    state.placed = false;
  }

  const Schedule& schedule_;
  Findings& findings_;
  Table<std::int32_t> replicas_;             ///< Ranks that hold each stage.
  Table<Table<std::int64_t>> gradients_of_;  ///< Replicated stages: per S, all ranks.
  Table<std::int32_t> replica_steps_;        ///< Of the first rank of each; -1 unknown.
  Table<StageState> states_;                 ///< Per stage, of the rank being walked.
};

}  // namespace

void CheckVersions(const Schedule& schedule, Findings& findings) {
  VersionCheck check(schedule, findings);
  for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
    check.Walk(rank);
  }
  check.Finish();
}

}  // namespace stagecraft
