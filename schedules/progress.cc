#include "schedules/progress.h"

#include <algorithm>
#include <cstddef>
#include <deque>

namespace stagecraft {
namespace {

/// Rank `rank` must have run past `threshold` ops before the waiting rank can go on.
struct Condition {
  OpRef op;
  OpRef waits_for;
  std::int32_t threshold = 0;  ///< Satisfied once the cursor of waits_for.rank has reached it.
};

/// Runs all programs against each other, each rank as far as it gets before the next has its turn.
class Run {
 public:
  Run(const Schedule& schedule, const Dependencies& dependencies, SendMode mode)
      : schedule_(schedule),
        dependencies_(dependencies),
        mode_(mode),
        cursor_(schedule.programs.size(), 0),
        sleepers_(schedule.programs.size()),
        collective_at_(schedule.programs.size()) {
    for (std::size_t i = 0; i < dependencies.collectives.size(); ++i) {
      for (const OpRef member : dependencies.collectives[i].members) {
        collective_at_[static_cast<std::size_t>(member.rank)].push_back(
            {member.index, static_cast<std::int32_t>(i)});
      }
    }
    for (std::vector<Place>& places : collective_at_) {
      std::sort(places.begin(), places.end(),
                [](const Place& a, const Place& b) { return a.index < b.index; });
    }
  }

  ExecutionOrder Finish() {
    ReserveOrder();
    std::deque<std::int32_t> ready;
    for (std::size_t rank = 0; rank < cursor_.size(); ++rank) {
      ready.push_back(static_cast<std::int32_t>(rank));
    }
    while (!ready.empty()) {
      const std::int32_t rank = ready.front();
      ready.pop_front();
      Advance(rank);
      Wake(rank, ready);
    }
    FindStuck();
    return std::move(result_);
  }

 private:
  struct Place {
    std::int32_t index;
    std::int32_t collective;
  };
  struct Sleeper {
    std::int32_t threshold;
    std::int32_t rank;
  };

  const std::vector<Op>& Program(std::int32_t rank) const {
    return schedule_.programs[static_cast<std::size_t>(rank)];
  }
  std::int32_t& Cursor(std::int32_t rank) { return cursor_[static_cast<std::size_t>(rank)]; }
  std::int32_t Cursor(std::int32_t rank) const { return cursor_[static_cast<std::size_t>(rank)]; }
  OpRef Input(OpRef ref) const {
    return dependencies_
        .input[static_cast<std::size_t>(ref.rank)][static_cast<std::size_t>(ref.index)];
  }

  void ReserveOrder() {
    std::size_t ops = 0;
    for (const std::vector<Op>& program : schedule_.programs) {
      ops += program.size();
    }
    result_.order.reserve(ops);
  }

  bool Met(const Condition& condition) const {
    return Cursor(condition.waits_for.rank) >= condition.threshold;
  }

  /// Calls `visit` with every condition of one op, met or not, until it returns true.
  template <typename Visit>
  bool AnyCondition(OpRef ref, const Visit& visit) const {
    const OpKind kind = schedule_.At(ref).kind;
    if (TraitsOf(kind).is_recv) {
      return false;
    }
    if (kind == OpKind::kAllReduce) {
      return AnyMember(ref, visit);
    }
    if (TraitsOf(kind).is_send && mode_ == SendMode::kBlocking) {
      const OpRef recv = dependencies_.matching_recv[static_cast<std::size_t>(ref.rank)]
                                                    [static_cast<std::size_t>(ref.index)];
      if (recv && visit(Condition{ref, recv, recv.index})) {
        return true;
      }
    }
    OpRef input = Input(ref);
    if (input && TraitsOf(schedule_.At(input).kind).is_recv) {
      if (visit(Condition{ref, input, input.index + 1})) {
        return true;
      }
      input = Input(input);
    }
    return input && visit(Condition{ref, input, ThresholdOf(input, ref)});
  }

  template <typename Visit>
  bool AnyMember(OpRef ref, const Visit& visit) const {
    const std::vector<Place>& places = collective_at_[static_cast<std::size_t>(ref.rank)];
    const auto place = std::lower_bound(
        places.begin(), places.end(), ref.index,
        [](const Place& candidate, std::int32_t index) { return candidate.index < index; });
    if (place == places.end() || place->index != ref.index) {
      return false;
    }
    const Collective& collective =
        dependencies_.collectives[static_cast<std::size_t>(place->collective)];
    return std::any_of(collective.members.begin(), collective.members.end(), [&](OpRef member) {
      return member != ref && visit(Condition{ref, member, member.index});
    });
  }

  /// A result is there when its whole cell has run. An op never waits for its own cell: that its
  /// members must not depend on each other is a rule of the verifier.
  std::int32_t ThresholdOf(OpRef input, OpRef waiting) const {
    const std::int32_t end = CellEnd(Program(input.rank), input.index);
    const bool own_cell =
        input.rank == waiting.rank && waiting.index > input.index && waiting.index < end;
    return own_cell ? 0 : end;
  }

  /// The first unmet condition of the cell at `begin`; without `op` if there is none.
  Condition Blocker(std::int32_t rank, std::int32_t begin, std::int32_t end) const {
    Condition blocker;
    for (std::int32_t index = begin; index < end; ++index) {
      if (AnyCondition({rank, index}, [&](const Condition& condition) {
            if (Met(condition)) {
              return false;
            }
            blocker = condition;
            return true;
          })) {
        break;
      }
    }
    return blocker;
  }

  void Advance(std::int32_t rank) {
    const std::vector<Op>& program = Program(rank);
    std::int32_t& cursor = Cursor(rank);
    while (cursor < static_cast<std::int32_t>(program.size())) {
      const std::int32_t end = CellEnd(program, cursor);
      const Condition blocker = Blocker(rank, cursor, end);
      if (blocker.op) {
        sleepers_[static_cast<std::size_t>(blocker.waits_for.rank)].push_back(
            {blocker.threshold, rank});
        return;
      }
      for (; cursor < end; ++cursor) {
        result_.order.push_back({rank, cursor});
      }
    }
  }

  void Wake(std::int32_t rank, std::deque<std::int32_t>& ready) {
    std::vector<Sleeper>& sleepers = sleepers_[static_cast<std::size_t>(rank)];
    const auto keep = std::stable_partition(
        sleepers.begin(), sleepers.end(),
        [&](const Sleeper& sleeper) { return sleeper.threshold <= Cursor(rank); });
    for (auto woken = sleepers.begin(); woken != keep; ++woken) {
      ready.push_back(woken->rank);
    }
    sleepers.erase(sleepers.begin(), keep);
  }

  void FindStuck() {
    for (std::size_t i = 0; i < cursor_.size(); ++i) {
      const auto rank = static_cast<std::int32_t>(i);
      if (Cursor(rank) == static_cast<std::int32_t>(Program(rank).size())) {
        continue;
      }
      const Condition blocker = Blocker(rank, Cursor(rank), CellEnd(Program(rank), Cursor(rank)));
      result_.stuck.push_back({blocker.op, blocker.waits_for});
    }
    constexpr std::size_t kStarts = 1024;  // Bounds the search on very wide schedules.
    for (std::size_t i = 0; i < std::min(kStarts, result_.stuck.size()); ++i) {
      ShortenCycle(result_.stuck[i].op.rank);
    }
  }

  /// Every unmet wait of the cell that `rank` stands at.
  std::vector<Wait> UnmetWaits(std::int32_t rank) const {
    std::vector<Wait> waits;
    const std::int32_t end = CellEnd(Program(rank), Cursor(rank));
    for (std::int32_t index = Cursor(rank); index < end; ++index) {
      AnyCondition({rank, index}, [&](const Condition& condition) {
        if (!Met(condition)) {
          waits.push_back({condition.op, condition.waits_for});
        }
        return false;
      });
    }
    return waits;
  }

  /// Breadth-first from `start` over "waits for a rank"; keeps the way back if it is the shortest.
  void ShortenCycle(std::int32_t start) {
    std::vector<Wait> reached_by(cursor_.size());
    std::deque<std::int32_t> frontier{start};
    while (!frontier.empty()) {
      const std::int32_t rank = frontier.front();
      frontier.pop_front();
      for (const Wait& wait : UnmetWaits(rank)) {
        Wait& way = reached_by[static_cast<std::size_t>(wait.waits_for.rank)];
        if (way.op) {
          continue;
        }
        way = wait;
        if (wait.waits_for.rank == start) {
          KeepIfShorter(start, reached_by);
          return;
        }
        frontier.push_back(wait.waits_for.rank);
      }
    }
  }

  void KeepIfShorter(std::int32_t start, const std::vector<Wait>& reached_by) {
    std::vector<Wait> cycle;
    std::int32_t rank = start;
    do {
      cycle.push_back(reached_by[static_cast<std::size_t>(rank)]);
      rank = cycle.back().op.rank;
    } while (rank != start);
    if (result_.cycle.empty() || cycle.size() < result_.cycle.size()) {
      std::reverse(cycle.begin(), cycle.end());
      result_.cycle = std::move(cycle);
    }
  }

  const Schedule& schedule_;
  const Dependencies& dependencies_;
  SendMode mode_;
  std::vector<std::int32_t> cursor_;            ///< Per rank: ops that have run.
  std::vector<std::vector<Sleeper>> sleepers_;  ///< Per rank: who waits for it.
  std::vector<std::vector<Place>> collective_at_;
  ExecutionOrder result_;
};

}  // namespace

std::string_view ToString(SendMode mode) {
  switch (mode) {
    case SendMode::kEager:
      return "eager";
    case SendMode::kRendezvous:
      return "rendezvous";
    case SendMode::kBlocking:
      break;
  }
  return "blocking";
}

ExecutionOrder OrderOps(const Schedule& schedule, const Dependencies& dependencies, SendMode mode) {
  return Run(schedule, dependencies, mode).Finish();
}

}  // namespace stagecraft
