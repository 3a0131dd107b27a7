#include "schedules/lower.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstddef>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "schedules/check.h"
#include "schedules/dependencies.h"
#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

using Programs = Table<Program>;

Op SendOf(const Op& producer) {
  return {.kind = producer.kind == OpKind::kForward ? OpKind::kSendForward : OpKind::kSendBackward,
          .stage = producer.stage,
          .microbatch = producer.microbatch};
}

Op RecvOf(const Op& consumer) {
  return {.kind = consumer.kind == OpKind::kForward ? OpKind::kRecvForward : OpKind::kRecvBackward,
          .stage = consumer.stage,
          .microbatch = consumer.microbatch};
}

/// Per op: who consumes its result on another rank; `kNoOp` if nobody does.
OpTable<OpRef> RemoteConsumers(const Schedule& schedule, const Dependencies& dependencies) {
  OpTable<OpRef> consumers(schedule);
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const TableView<const OpRef> inputs = dependencies.input.Of(rank);
    for (std::int32_t i = 0; i < inputs.Count(); ++i) {
      if (inputs[i] && inputs[i].rank != rank) {
        consumers[inputs[i]] = {rank, i};
      }
    }
  }
  return consumers;
}

/// One global order: sweeps over the ranks, in each of which a rank that is not waiting emits one
/// compute op, or cell. Its SEND and the matching RECV are emitted at that moment, so both ends see
/// all transfers in one order and no send mode can deadlock.
///
///   sweep 1   rank 0: 0F0 0SEND_F0      rank 1:          1RECV_F0
///   sweep 1   (still)                   rank 1: 1F0 ...
///
/// P and R are emitted with the compute op behind them, S with the one before it. An A is emitted
/// when every member has come to it.
class EarlySweep {
 public:
  EarlySweep(const Schedule& schedule, const Dependencies& dependencies)
      : schedule_(schedule),
        dependencies_(dependencies),
        consumers_(RemoteConsumers(schedule, dependencies)),
        cursor_(schedule.programs.size(), 0),
        runnable_((schedule.programs.size() + 63) / 64, 0),
        result_(schedule.programs.size()) {
    for (const Collective& collective : dependencies.collectives) {
      missing_.push_back(collective.members.Count());
    }
    for (std::int32_t rank = 0; rank < result_.Count(); ++rank) {
      result_[rank].reserve(schedule.programs[rank].Count() + CountTransfers(rank));
      SetRunnable(rank, !schedule.programs[rank].empty());
    }
  }

  Programs Finish() {
    bool any = true;
    while (any) {
      any = false;
      for (std::int32_t word = 0; word < runnable_.Count(); ++word) {
        any |= SweepWord(word);
      }
    }
    for (std::int32_t rank = 0; rank < cursor_.Count(); ++rank) {
      STAGECRAFT_CHECK(cursor_[rank] == schedule_.programs[rank].Count(),
                       "only a verified schedule can be lowered");
    }
    return std::move(result_);
  }

 private:
  std::ptrdiff_t CountTransfers(std::int32_t rank) const {
    const auto is_send = [](OpRef consumer) { return static_cast<bool>(consumer); };
    const auto is_receive = [&](OpRef input) { return input && input.rank != rank; };
    return std::ranges::count_if(consumers_.Of(rank), is_send) +
           std::ranges::count_if(dependencies_.input.Of(rank), is_receive);
  }

  void SetRunnable(std::int32_t rank, bool on) {
    const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(rank % 64);
    std::uint64_t& word = runnable_[rank / 64];
    word = on ? word | bit : word & ~bit;
  }

  /// Gives every runnable rank of 64 its turn, ascending; ranks woken on the way too if they are
  /// still ahead.
  bool SweepWord(std::int32_t word) {
    bool any = false;
    std::uint64_t ahead = ~std::uint64_t{0};
    while ((runnable_[word] & ahead) != 0) {
      const int bit = std::countr_zero(runnable_[word] & ahead);
      any |= Turn(word * 64 + bit);
      ahead = bit >= 63 ? 0 : ~std::uint64_t{0} << static_cast<unsigned>(bit + 1);
    }
    return any;
  }

  /// Emits the next compute op or A of `rank`, with what rides along; false if it must wait.
  bool Turn(std::int32_t rank) {
    const Program& program = schedule_.programs[rank];
    std::int32_t& cursor = cursor_[rank];
    std::int32_t main = cursor;
    while (main < program.Count() && RidesWithNext(program[main].kind)) {
      ++main;
    }
    if (!Ready(rank, main)) {
      SetRunnable(rank, false);
      return false;
    }

    // The op or cell with what rides along, then its SENDs, then the S behind it.
    const std::int32_t end = main == program.Count() ? main : CellEnd(program, main);
    for (; cursor < end; ++cursor) {
      result_[rank].push_back(program[cursor]);
    }
    for (std::int32_t index = main; index < end; ++index) {
      Transfer({rank, index});
    }
    for (; cursor < program.Count() && program[cursor].kind == OpKind::kStep; ++cursor) {
      result_[rank].push_back(program[cursor]);
    }
    SetRunnable(rank, cursor < program.Count());
    return true;
  }

  static bool RidesWithNext(OpKind kind) {
    return kind == OpKind::kPredict || kind == OpKind::kRecompute;
  }

  bool Ready(std::int32_t rank, std::int32_t main) {
    const Program& program = schedule_.programs[rank];
    if (main == program.Count()) {
      return true;
    }
    if (program[main].kind == OpKind::kAllReduce) {
      return Arrive({rank, main});
    }

    const std::int32_t end = CellEnd(program, main);
    for (std::int32_t index = main; index < end; ++index) {
      const OpRef input = dependencies_.input[{rank, index}];
      if (input && input.rank != rank && cursor_[input.rank] <= input.index) {
        return false;
      }
    }
    return true;
  }

  /// Counts the first visit of a rank to its A; true once all members have come.
  bool Arrive(OpRef op) {
    const std::int32_t collective = dependencies_.collective[op];
    STAGECRAFT_CHECK(collective >= 0, "every A belongs to a collective");
    if (arrived_.empty()) {
      arrived_.resize(cursor_.size(), -1);
    }

    if (arrived_[op.rank] != op.index) {
      arrived_[op.rank] = op.index;
      if (--missing_[collective] == 0) {
        for (const OpRef member : dependencies_.collectives[collective].members) {
          SetRunnable(member.rank, true);
        }
      }
    }

    return missing_[collective] == 0;
  }

  void Transfer(OpRef producer) {
    const OpRef consumer = consumers_[producer];
    if (consumer) {
      const std::int32_t to = consumer.rank;
      result_[producer.rank].push_back(SendOf(schedule_.At(producer)));
      result_[to].push_back(RecvOf(schedule_.At(consumer)));
      SetRunnable(to, cursor_[to] < schedule_.programs[to].Count());
    }
  }

  const Schedule& schedule_;
  const Dependencies& dependencies_;
  OpTable<OpRef> consumers_;
  Table<std::int32_t> cursor_;     ///< Per rank: ops emitted.
  Table<std::uint64_t> runnable_;  ///< One bit per rank.
  Table<std::int32_t> missing_;    ///< Per collective: members that have not come yet.
  Table<std::int32_t> arrived_;    ///< Per rank: the A that it was counted at last.
  Programs result_;
};

/// A RECV to be placed on a rank.
struct Receive {
  std::int32_t position = 0;  ///< Before this op of the rank.
  std::int32_t from = 0;      ///< Sending rank.
  std::int32_t producer = 0;  ///< Op index on the sending rank: gives the channel's order.
  Op op;
};

/// Where the RECV for the consumer at `index` goes: before the compute op `lookahead` ahead of it.
std::int32_t Position(const Program& program, std::int32_t index, std::int32_t lookahead) {
  std::int32_t position = CellBegin(program, index);
  for (std::int32_t left = lookahead; left > 0 && position > 0;) {
    --position;
    left -= IsCompute(program[position].kind) ? 1 : 0;
  }
  return CellBegin(program, position);
}

Table<Receive> PlaceReceives(const Schedule& schedule, const Dependencies& dependencies,
                             std::int32_t rank, std::int32_t lookahead) {
  Table<Receive> receives;
  const Program& program = schedule.programs[rank];
  for (std::int32_t i = 0; i < program.Count(); ++i) {
    const OpRef producer = dependencies.input[OpRef{rank, i}];
    if (producer && producer.rank != rank) {
      receives.push_back(
          {Position(program, i, lookahead), producer.rank, producer.index, RecvOf(program[i])});
    }
  }

  // No RECV of a channel may stand behind a later one: go back from the last SEND of each.
  std::sort(receives.begin(), receives.end(), [](const Receive& a, const Receive& b) {
    return std::pair(a.from, a.producer) < std::pair(b.from, b.producer);
  });
  for (std::size_t i = receives.size(); i-- > 1;) {
    if (receives[i - 1].from == receives[i].from) {
      receives[i - 1].position = std::min(receives[i - 1].position, receives[i].position);
    }
  }

  std::stable_sort(receives.begin(), receives.end(),
                   [](const Receive& a, const Receive& b) { return a.position < b.position; });
  return receives;
}

Programs LowerLate(const Schedule& schedule, const Dependencies& dependencies,
                   std::int32_t lookahead) {
  const OpTable<OpRef> consumers = RemoteConsumers(schedule, dependencies);
  Programs result(schedule.programs.size());
  for (std::int32_t rank = 0; rank < result.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    const Table<Receive> receives = PlaceReceives(schedule, dependencies, rank, lookahead);
    Program& out = result[rank];
    out.reserve(program.size() + 2 * receives.size());

    std::int32_t next = 0;
    std::int32_t cell = 0;
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      for (; next < receives.Count() && receives[next].position == i; ++next) {
        out.push_back(receives[next].op);
      }
      out.push_back(program[i]);
      if (program[i].joined && i + 1 < program.Count()) {
        continue;
      }

      // What the cell sends leaves when all its members have run.
      for (; cell <= i; ++cell) {
        if (consumers[{rank, cell}]) {
          out.push_back(SendOf(program[cell]));
        }
      }
    }
  }
  return result;
}

}  // namespace

Result<ReceivePolicy> ParseReceivePolicy(std::string_view text) {
  constexpr std::string_view kLookahead = "lookahead:";
  if (text == "early") {
    return {ReceivePolicy{}, {}};
  }
  if (text == "just-in-time") {
    return {ReceivePolicy{ReceivePolicy::Kind::kJustInTime, 0}, {}};
  }
  if (text.substr(0, kLookahead.size()) == kLookahead) {
    const std::string_view digits = text.substr(kLookahead.size());
    ReceivePolicy policy{ReceivePolicy::Kind::kLookahead, 0};
    const auto [end, fault] =
        std::from_chars(digits.data(), digits.data() + digits.size(), policy.lookahead);
    if (fault == std::errc() && end == digits.data() + digits.size() && policy.lookahead >= 0) {
      return {policy, {}};
    }
  }
  Diagnostic unknown;
  unknown.message = fmt::format(
      "receive policy '{}'; expected early, just-in-time or lookahead:K with K from 0 to {}", text,
      std::numeric_limits<std::int32_t>::max());
  return {std::nullopt, {unknown}};
}

std::string ToString(const ReceivePolicy& policy) {
  switch (policy.kind) {
    case ReceivePolicy::Kind::kEarly:
      return "early";
    case ReceivePolicy::Kind::kJustInTime:
      return "just-in-time";
    case ReceivePolicy::Kind::kLookahead:
      break;
  }
  return fmt::format("lookahead:{}", policy.lookahead);
}

Schedule Lower(const Schedule& schedule, const ReceivePolicy& policy) {
  const Dependencies dependencies = FindDependencies(schedule);
  Schedule lowered;
  lowered.shape = schedule.shape;
  lowered.mode = schedule.mode;
  lowered.placement = schedule.placement;
  lowered.name = schedule.name;
  lowered.source = schedule.source;
  lowered.programs = policy.kind == ReceivePolicy::Kind::kEarly
                         ? EarlySweep(schedule, dependencies).Finish()
                         : LowerLate(schedule, dependencies, policy.lookahead);
  return lowered;
}

Schedule EraseCommunication(const Schedule& schedule) {
  Schedule erased = schedule;
  for (Program& program : erased.programs) {
    program.erase(std::remove_if(program.begin(), program.end(),
                                 [](const Op& op) { return IsCommunication(op.kind); }),
                  program.end());
  }
  return erased;
}

}  // namespace stagecraft
