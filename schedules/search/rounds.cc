#include "schedules/search/rounds.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

#include "schedules/tables.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kUnknown = -1;

class Rounds {
 public:
  Rounds(const AutoProblem& problem, const RoundsPolicy& policy)
      : problem_(problem),
        policy_(policy),
        p_(problem.placement.Count()),
        m_(problem.microbatches),
        stages_(problem.stages.size()),
        ranks_(problem.placement.size()) {
    for (StageState& stage : stages_) {
      stage.forward_end.assign(m_, kUnknown);
      stage.backward_end.assign(m_, kUnknown);
    }
    order_.programs.resize(ranks_.size());
  }

  std::optional<AutoOrder> Run() {
    bool going = FirstForwards() && LevelForwards();
    for (std::int32_t round = 0; going && round < 2 * m_; ++round) {
      going = Backwards() && Forwards();
    }
    for (std::int32_t rank = 0; rank < p_; ++rank) {
      while (!At(rank).pending.empty()) {
        RunWeight(rank);
      }
    }
    const bool complete = std::all_of(stages_.begin(), stages_.end(),
                                      [&](const StageState& s) { return s.backwards == m_; });
    return going && complete ? std::optional(std::move(order_)) : std::nullopt;
  }

 private:
  struct StageState {
    Table<std::int64_t> forward_end;
    Table<std::int64_t> backward_end;
    std::int32_t forwards = 0;
    std::int32_t backwards = 0;
    std::int32_t weights = 0;
  };
  struct RankState {
    std::int64_t free = 0;
    std::int64_t first = kUnknown;
    std::int64_t idle = 0;
    std::int64_t kept = 0;
    std::deque<std::int32_t> pending;  ///< Stages whose oldest W waits, in the order of the I.
  };

  std::int32_t Down(std::int32_t rank) const { return rank; }
  std::int32_t Up(std::int32_t rank) const { return 2 * p_ - 1 - rank; }
  std::int32_t RankOf(std::int32_t stage) const { return std::min(stage, 2 * p_ - 1 - stage); }
  StageState& Of(std::int32_t stage) { return stages_[stage]; }
  RankState& At(std::int32_t rank) { return ranks_[rank]; }
  std::int64_t LimitOf(std::int32_t rank) const { return problem_.limits[rank]; }
  const StageEstimate& Costs(std::int32_t stage) const { return problem_.stages[stage]; }

  /// When the result that `from` had at `end` is on the rank of `to`.
  std::int64_t Arrival(std::int64_t end, std::int32_t from, std::int32_t to) const {
    if (end == kUnknown || RankOf(from) == RankOf(to)) {
      return end;
    }
    return end + Costs(std::min(from, to)).hop;
  }

  /// When the input of the stage's next forward is there; unknown if nobody has made it yet.
  std::int64_t ForwardAt(std::int32_t stage) {
    const StageState& state = Of(stage);
    if (state.forwards == m_) {
      return kUnknown;
    }
    return stage == 0 ? 0 : Arrival(Of(stage - 1).forward_end[state.forwards], stage - 1, stage);
  }

  std::int64_t BackwardAt(std::int32_t stage) {
    const StageState& state = Of(stage);
    if (state.backwards == state.forwards) {
      return kUnknown;
    }
    const std::int32_t next = state.backwards;
    return stage == 2 * p_ - 1 ? state.forward_end[next]
                               : Arrival(Of(stage + 1).backward_end[next], stage + 1, stage);
  }

  std::int64_t Begin(std::int32_t rank, std::int64_t at) {
    RankState& state = At(rank);
    const std::int64_t start = std::max(state.free, at);
    if (state.first == kUnknown) {
      state.first = start;
    } else {
      state.idle += start - state.free;
      worst_ = std::max(worst_, state.idle);
    }
    return start;
  }

  void End(std::int32_t stage, OpKind kind, std::int32_t microbatch, std::int64_t end) {
    const std::int32_t rank = RankOf(stage);
    RankState& state = At(rank);
    state.free = end;
    order_.window = std::max(order_.window, end - state.first);
    order_.makespan = std::max(order_.makespan, end);
    order_.programs[rank].push_back({.kind = kind, .stage = stage, .microbatch = microbatch});
  }

  bool RunForward(std::int32_t stage) {
    const std::int64_t at = ForwardAt(stage);
    RankState& rank = At(RankOf(stage));
    if (at == kUnknown || rank.kept + Costs(stage).kept > LimitOf(RankOf(stage))) {
      return false;
    }
    StageState& state = Of(stage);
    const std::int64_t end = Begin(RankOf(stage), at) + Costs(stage).forward;
    state.forward_end[state.forwards] = end;
    rank.kept += Costs(stage).kept;
    End(stage, OpKind::kForward, state.forwards++, end);
    return true;
  }

  bool RunBackward(std::int32_t stage) {
    const std::int64_t at = BackwardAt(stage);
    if (at == kUnknown) {
      return false;
    }
    const std::int32_t rank = RankOf(stage);
    FillGap(rank, at, policy_.fill_before_backward);
    StageState& state = Of(stage);
    const std::int64_t end = Begin(rank, at) + Costs(stage).backward_input;
    state.backward_end[state.backwards] = end;
    At(rank).kept -= Costs(stage).released;
    At(rank).pending.push_back(stage);
    End(stage, OpKind::kBackwardInput, state.backwards++, end);
    return true;
  }

  void RunWeight(std::int32_t rank) {
    RankState& state = At(rank);
    const std::int32_t stage = state.pending.front();
    state.pending.pop_front();
    state.kept -= Costs(stage).kept - Costs(stage).released;
    End(stage, OpKind::kBackwardWeight, Of(stage).weights++,
        state.free + Costs(stage).backward_weight);
  }

  /// W for the time until `at`: those that fit, and one that does not if the rank can't afford to
  /// idle more than the worst.
  void FillGap(std::int32_t rank, std::int64_t at, bool partly) {
    RankState& state = At(rank);
    while (!state.pending.empty() &&
           at >= state.free + Costs(state.pending.front()).backward_weight) {
      RunWeight(rank);
    }
    const std::int64_t affordable = std::max(worst_, policy_.spare) - state.idle;
    if (partly && !state.pending.empty() && at - state.free > affordable) {
      RunWeight(rank);
    }
  }

  /// The first micro-batch goes down and up; on its way up, each rank and those before it take as
  /// many more forwards as memory and the time until it comes allow.
  bool FirstForwards() {
    for (std::int32_t rank = 0; rank < p_; ++rank) {
      if (!RunForward(Down(rank))) {
        return false;
      }
    }

    // Back up the second half; whoever waits for it runs forwards of the first half meanwhile.
    for (std::int32_t rank = p_ - 1; rank >= 0; --rank) {
      const std::int64_t at = ForwardAt(Up(rank));
      while (rank < p_ - 1 && HasRoomForMore(rank) && Of(Down(rank)).forwards < m_ &&
             At(rank).free + Costs(Down(rank)).forward <= at) {
        for (std::int32_t before = 0; before <= rank; ++before) {
          if (Of(Down(before)).forwards < m_ && !RunForward(Down(before))) {
            return false;
          }
        }
      }
      if (!RunForward(Up(rank))) {
        return false;
      }
    }
    return true;
  }

  /// Room for one forward now, and for those that the ranks before will ask of this one later.
  bool HasRoomForMore(std::int32_t rank) {
    return Costs(Down(rank)).kept <= (LimitOf(rank) - At(rank).kept) / (2 + 2 * rank);
  }

  /// Every rank catches up with the number of forwards of the rank before it, up and down in turn.
  bool LevelForwards() {
    bool up = false;
    int idle_turns = 0;
    for (std::int32_t rank = 1; rank < p_; ++rank) {
      while (IsBehind(rank)) {
        const std::optional<bool> ran = RunForwardsFrom(rank, up);
        idle_turns = ran.value_or(true) ? 0 : idle_turns + 1;
        if (!ran || idle_turns > 1) {
          return false;
        }
        up = !up;
      }
    }
    return true;
  }

  /// One forward on each rank from `first` to the last that has one left on that stage: whether
  /// there was any; nothing if one can't run.
  std::optional<bool> RunForwardsFrom(std::int32_t first, bool up) {
    bool any = false;
    for (std::int32_t rank = p_ - 1; rank >= first; --rank) {
      const std::int32_t stage = up ? Up(rank) : Down(rank);
      if (Of(stage).forwards == m_) {
        continue;
      }
      if (!RunForward(stage)) {
        return std::nullopt;
      }
      any = true;
    }
    return any;
  }

  bool IsBehind(std::int32_t rank) {
    const std::int32_t down = Of(Down(rank)).forwards;
    const std::int32_t up = Of(Up(rank)).forwards;
    const std::int32_t up_before = Of(Up(rank - 1)).forwards;
    return down + up < Of(Down(rank - 1)).forwards + up_before ||
           (up <= up_before && up_before < m_);
  }

  /// Whether the rank's backward of this round is on its second stage: unless the first is behind
  /// and its gradient has been made.
  bool TakesUp(std::int32_t rank) {
    const std::int32_t down = Of(Down(rank)).backwards;
    const std::int32_t up = Of(Up(rank)).backwards;
    if (up == m_) {
      return false;
    }
    return down >= up || BackwardAt(Down(rank)) == kUnknown;
  }

  bool Backwards() {
    Table<bool> takes_up(ranks_.size());
    for (std::int32_t rank = 0; rank < p_; ++rank) {
      takes_up[rank] = TakesUp(rank);
    }

    // First the ranks whose next backward is of the second half, then the others.
    for (std::int32_t rank = 0; rank < p_; ++rank) {
      if (takes_up[rank] && !RunBackward(Up(rank))) {
        return false;
      }
    }
    for (std::int32_t rank = p_ - 1; rank >= 0; --rank) {
      if (!takes_up[rank] && !RunBackward(Down(rank))) {
        return false;
      }
    }
    return true;
  }

  /// The rank's forward of this round: second stage if that is behind and its input has been made.
  std::int32_t NextForward(std::int32_t rank) {
    const bool level = Of(Up(rank)).forwards == Of(Down(rank)).forwards;
    return !level && ForwardAt(Up(rank)) != kUnknown ? Up(rank) : Down(rank);
  }

  bool Forwards() {
    for (std::int32_t rank = 0; rank < p_; ++rank) {
      const std::int32_t stage = NextForward(rank);
      const std::int64_t at = ForwardAt(stage);
      if (at == kUnknown) {
        continue;
      }

      // A W makes room for the forward where there is too little, and fills the wait for it.
      RankState& state = At(rank);
      while (state.kept + Costs(stage).kept > LimitOf(rank)) {
        if (state.pending.empty()) {
          return false;
        }
        RunWeight(rank);
      }
      FillGap(rank, at, policy_.fill_before_forward);
      if (!RunForward(stage)) {
        return false;
      }
    }
    return true;
  }

  const AutoProblem& problem_;
  const RoundsPolicy& policy_;
  std::int32_t p_;
  std::int32_t m_;
  Table<StageState> stages_;
  Table<RankState> ranks_;
  std::int64_t worst_ = 0;  ///< Idle time of the rank that has most.
  AutoOrder order_;
};

}  // namespace

std::optional<AutoOrder> ScheduleInRounds(const AutoProblem& problem, const RoundsPolicy& policy) {
  return Rounds(problem, policy).Run();
}

}  // namespace stagecraft
