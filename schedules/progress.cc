#include "schedules/progress.h"

#include <algorithm>
#include <cstddef>
#include <deque>

#include "schedules/schedule.h"
#include "schedules/tables.h"

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
        sleepers_(schedule.programs.size()) {}

  ExecutionOrder Finish() {
    ReserveOrder();
    std::deque<std::int32_t> ready;
    for (std::int32_t rank = 0; rank < cursor_.Count(); ++rank) {
      ready.push_back(rank);
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
  struct Sleeper {
    std::int32_t threshold;
    std::int32_t rank;
  };

  void ReserveOrder() {
    std::size_t ops = 0;
    for (const Program& program : schedule_.programs) {
      ops += program.size();
    }
    result_.order.reserve(ops);
  }

  bool Met(const Condition& condition) const {
    return cursor_[condition.waits_for.rank] >= condition.threshold;
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
      const OpRef recv = dependencies_.matching_recv[ref];
      if (recv && visit(Condition{ref, recv, recv.index})) {
        return true;
      }
    }

    // What comes through a RECV is waited for twice: until it is posted, and until it is sent.
    OpRef input = dependencies_.input[ref];
    if (input && TraitsOf(schedule_.At(input).kind).is_recv) {
      if (visit(Condition{ref, input, input.index + 1})) {
        return true;
      }
      input = dependencies_.input[input];
    }
    return input && visit(Condition{ref, input, ThresholdOf(input, ref)});
  }

  template <typename Visit>
  bool AnyMember(OpRef ref, const Visit& visit) const {
    const std::int32_t collective = dependencies_.collective[ref];
    if (collective < 0) {
      return false;
    }
    const Table<OpRef>& members = dependencies_.collectives[collective].members;
    return std::ranges::any_of(members, [&](OpRef member) {
      return member != ref && visit(Condition{ref, member, member.index});
    });
  }

  /// A result is there when its whole cell has run. An op never waits for its own cell: that its
  /// members must not depend on each other is a rule of the verifier.
  std::int32_t ThresholdOf(OpRef input, OpRef waiting) const {
    const std::int32_t end = CellEnd(schedule_.programs[input.rank], input.index);
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
    const Program& program = schedule_.programs[rank];
    std::int32_t& cursor = cursor_[rank];
    while (cursor < program.Count()) {
      const std::int32_t end = CellEnd(program, cursor);
      const Condition blocker = Blocker(rank, cursor, end);
      if (blocker.op) {
        sleepers_[blocker.waits_for.rank].push_back({blocker.threshold, rank});
        return;
      }
      for (; cursor < end; ++cursor) {
        result_.order.push_back({rank, cursor});
      }
    }
  }

  void Wake(std::int32_t rank, std::deque<std::int32_t>& ready) {
    Table<Sleeper>& sleepers = sleepers_[rank];
    const auto keep = std::stable_partition(
        sleepers.begin(), sleepers.end(),
        [&](const Sleeper& sleeper) { return sleeper.threshold <= cursor_[rank]; });
    for (auto woken = sleepers.begin(); woken != keep; ++woken) {
      ready.push_back(woken->rank);
    }
    sleepers.erase(sleepers.begin(), keep);
  }

  void FindStuck() {
    for (std::int32_t rank = 0; rank < cursor_.Count(); ++rank) {
      if (cursor_[rank] == schedule_.programs[rank].Count()) {
        continue;
      }
      const Condition blocker =
          Blocker(rank, cursor_[rank], CellEnd(schedule_.programs[rank], cursor_[rank]));
      result_.stuck.push_back({blocker.op, blocker.waits_for});
    }

    constexpr std::int32_t kStarts = 1024;  // Bounds the search on very wide schedules.
    for (std::int32_t i = 0; i < std::min(kStarts, result_.stuck.Count()); ++i) {
      ShortenCycle(result_.stuck[i].op.rank);
    }
  }

  /// Every unmet wait of the cell that `rank` stands at.
  Table<Wait> UnmetWaits(std::int32_t rank) const {
    Table<Wait> waits;
    const std::int32_t end = CellEnd(schedule_.programs[rank], cursor_[rank]);
    for (std::int32_t index = cursor_[rank]; index < end; ++index) {
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
    Table<Wait> reached_by(cursor_.size());
    std::deque<std::int32_t> frontier{start};
    while (!frontier.empty()) {
      const std::int32_t rank = frontier.front();
      frontier.pop_front();

      for (const Wait& wait : UnmetWaits(rank)) {
        Wait& way = reached_by[wait.waits_for.rank];
        if (way.op) {
          continue;
        }
        way = wait;

        // Breadth-first: the first way back to `start` is the shortest through it.
        if (wait.waits_for.rank == start) {
          KeepIfShorter(start, reached_by);
          return;
        }
        frontier.push_back(wait.waits_for.rank);
      }
    }
  }

  void KeepIfShorter(std::int32_t start, const Table<Wait>& reached_by) {
    Table<Wait> cycle;
    std::int32_t rank = start;
    do {
      cycle.push_back(reached_by[rank]);
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
  Table<std::int32_t> cursor_;      ///< Per rank: ops that have run.
  Table<Table<Sleeper>> sleepers_;  ///< Per rank: who waits for it.
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
