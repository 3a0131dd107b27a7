#include "schedules/lower.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "schedules/check.h"
#include "schedules/dependencies.h"

namespace stagecraft {
namespace {

using Programs = std::vector<std::vector<Op>>;

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
std::vector<std::vector<OpRef>> RemoteConsumers(const Schedule& schedule,
                                                const Dependencies& dependencies) {
  std::vector<std::vector<OpRef>> consumers(schedule.programs.size());
  for (std::size_t rank = 0; rank < consumers.size(); ++rank) {
    consumers[rank].resize(schedule.programs[rank].size());
  }
  for (std::size_t rank = 0; rank < consumers.size(); ++rank) {
    for (std::size_t i = 0; i < dependencies.input[rank].size(); ++i) {
      const OpRef producer = dependencies.input[rank][i];
      if (producer && producer.rank != static_cast<std::int32_t>(rank)) {
        consumers[static_cast<std::size_t>(producer.rank)][static_cast<std::size_t>(
            producer.index)] = {static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)};
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
        missing_(dependencies.collectives.size()),
        at_collective_(schedule.programs.size()),
        result_(schedule.programs.size()) {
    for (std::size_t i = 0; i < missing_.size(); ++i) {
      missing_[i] = dependencies.collectives[i].members.size();
      for (const OpRef member : dependencies.collectives[i].members) {
        at_collective_[static_cast<std::size_t>(member.rank)].push_back(
            {member.index, static_cast<std::int32_t>(i)});
      }
    }
    for (std::size_t rank = 0; rank < result_.size(); ++rank) {
      result_[rank].reserve(schedule.programs[rank].size() + CountTransfers(rank));
      std::sort(at_collective_[rank].begin(), at_collective_[rank].end());
      SetRunnable(rank, !schedule.programs[rank].empty());
    }
  }

  Programs Finish() {
    bool any = true;
    while (any) {
      any = false;
      for (std::size_t word = 0; word < runnable_.size(); ++word) {
        any |= SweepWord(word);
      }
    }
    for (std::size_t rank = 0; rank < cursor_.size(); ++rank) {
      STAGECRAFT_CHECK(cursor_[rank] == schedule_.programs[rank].size(),
                       "only a verified schedule can be lowered");
    }
    return std::move(result_);
  }

 private:
  using Place = std::pair<std::int32_t, std::int32_t>;  ///< Op index and collective.

  std::size_t CountTransfers(std::size_t rank) const {
    const auto sends = std::count_if(consumers_[rank].begin(), consumers_[rank].end(),
                                     [](OpRef consumer) { return static_cast<bool>(consumer); });
    const auto receives = std::count_if(
        dependencies_.input[rank].begin(), dependencies_.input[rank].end(),
        [&](OpRef input) { return input && input.rank != static_cast<std::int32_t>(rank); });
    return static_cast<std::size_t>(sends + receives);
  }

  void SetRunnable(std::size_t rank, bool on) {
    const std::uint64_t bit = std::uint64_t{1} << (rank % 64);
    std::uint64_t& word = runnable_[rank / 64];
    word = on ? word | bit : word & ~bit;
  }

  /// Gives every runnable rank of 64 its turn, ascending; ranks woken on the way too if they are
  /// still ahead.
  bool SweepWord(std::size_t word) {
    bool any = false;
    std::uint64_t ahead = ~std::uint64_t{0};
    while ((runnable_[word] & ahead) != 0) {
      const auto bit = static_cast<std::size_t>(__builtin_ctzll(runnable_[word] & ahead));
      const std::size_t rank = word * 64 + bit;
      any |= Turn(rank);
      ahead = bit == 63 ? 0 : ~std::uint64_t{0} << (bit + 1);
    }
    return any;
  }

  /// Emits the next compute op or A of `rank`, with what rides along; false if it must wait.
  bool Turn(std::size_t rank) {
    const std::vector<Op>& program = schedule_.programs[rank];
    std::size_t main = cursor_[rank];
    while (main < program.size() && RidesWithNext(program[main].kind)) {
      ++main;
    }
    if (!Ready(rank, main)) {
      SetRunnable(rank, false);
      return false;
    }
    const std::size_t end =
        main == program.size()
            ? main
            : static_cast<std::size_t>(CellEnd(program, static_cast<std::int32_t>(main)));
    for (; cursor_[rank] < end; ++cursor_[rank]) {
      result_[rank].push_back(program[cursor_[rank]]);
    }
    for (std::size_t index = main; index < end; ++index) {
      Transfer(rank, index);
    }
    while (cursor_[rank] < program.size() && program[cursor_[rank]].kind == OpKind::kStep) {
      result_[rank].push_back(program[cursor_[rank]++]);
    }
    SetRunnable(rank, cursor_[rank] < program.size());
    return true;
  }

  static bool RidesWithNext(OpKind kind) {
    return kind == OpKind::kPredict || kind == OpKind::kRecompute;
  }

  bool Ready(std::size_t rank, std::size_t main) {
    const std::vector<Op>& program = schedule_.programs[rank];
    if (main == program.size()) {
      return true;
    }
    if (program[main].kind == OpKind::kAllReduce) {
      return Arrive(rank, main);
    }
    const auto end = static_cast<std::size_t>(CellEnd(program, static_cast<std::int32_t>(main)));
    for (std::size_t index = main; index < end; ++index) {
      const OpRef input = dependencies_.input[rank][index];
      if (input && input.rank != static_cast<std::int32_t>(rank) &&
          cursor_[static_cast<std::size_t>(input.rank)] <= static_cast<std::size_t>(input.index)) {
        return false;
      }
    }
    return true;
  }

  /// Counts the first visit of `rank` to its A; true once all members have come.
  bool Arrive(std::size_t rank, std::size_t index) {
    std::vector<Place>& places = at_collective_[rank];
    const auto place =
        std::lower_bound(places.begin(), places.end(), Place{static_cast<std::int32_t>(index), 0});
    STAGECRAFT_CHECK(place != places.end(), "every A belongs to a collective");
    const auto collective = static_cast<std::size_t>(place->second);
    if (arrived_.size() < cursor_.size()) {
      arrived_.resize(cursor_.size(), -1);
    }
    if (arrived_[rank] != static_cast<std::int32_t>(index)) {
      arrived_[rank] = static_cast<std::int32_t>(index);
      if (--missing_[collective] == 0) {
        for (const OpRef member : dependencies_.collectives[collective].members) {
          SetRunnable(static_cast<std::size_t>(member.rank), true);
        }
      }
    }
    return missing_[collective] == 0;
  }

  void Transfer(std::size_t rank, std::size_t index) {
    const OpRef consumer = consumers_[rank][index];
    if (consumer) {
      const auto to = static_cast<std::size_t>(consumer.rank);
      result_[rank].push_back(SendOf(schedule_.programs[rank][index]));
      result_[to].push_back(RecvOf(schedule_.At(consumer)));
      SetRunnable(to, cursor_[to] < schedule_.programs[to].size());
    }
  }

  const Schedule& schedule_;
  const Dependencies& dependencies_;
  std::vector<std::vector<OpRef>> consumers_;
  std::vector<std::size_t> cursor_;      ///< Per rank: ops emitted.
  std::vector<std::uint64_t> runnable_;  ///< One bit per rank.
  std::vector<std::size_t> missing_;     ///< Per collective: members that have not come yet.
  std::vector<std::vector<Place>> at_collective_;
  std::vector<std::int32_t> arrived_;  ///< Per rank: the A that it was counted at last.
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
std::int32_t Position(const std::vector<Op>& program, std::int32_t index, std::int32_t lookahead) {
  std::int32_t position = CellBegin(program, index);
  for (std::int32_t left = lookahead; left > 0 && position > 0;) {
    --position;
    left -= IsCompute(program[static_cast<std::size_t>(position)].kind) ? 1 : 0;
  }
  return CellBegin(program, position);
}

std::vector<Receive> PlaceReceives(const Schedule& schedule, const Dependencies& dependencies,
                                   std::size_t rank, std::int32_t lookahead) {
  std::vector<Receive> receives;
  const std::vector<Op>& program = schedule.programs[rank];
  for (std::size_t i = 0; i < program.size(); ++i) {
    const OpRef producer = dependencies.input[rank][i];
    if (producer && producer.rank != static_cast<std::int32_t>(rank)) {
      receives.push_back({Position(program, static_cast<std::int32_t>(i), lookahead), producer.rank,
                          producer.index, RecvOf(program[i])});
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
  const std::vector<std::vector<OpRef>> consumers = RemoteConsumers(schedule, dependencies);
  Programs result(schedule.programs.size());
  for (std::size_t rank = 0; rank < result.size(); ++rank) {
    const std::vector<Op>& program = schedule.programs[rank];
    const std::vector<Receive> receives = PlaceReceives(schedule, dependencies, rank, lookahead);
    std::vector<Op>& out = result[rank];
    out.reserve(program.size() + 2 * receives.size());
    std::size_t next = 0;
    std::size_t cell = 0;
    for (std::size_t i = 0; i < program.size(); ++i) {
      for (; next < receives.size() && receives[next].position == static_cast<std::int32_t>(i);
           ++next) {
        out.push_back(receives[next].op);
      }
      out.push_back(program[i]);
      if (program[i].joined && i + 1 < program.size()) {
        continue;
      }
      for (; cell <= i; ++cell) {
        if (consumers[rank][cell]) {
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
  for (std::vector<Op>& program : erased.programs) {
    program.erase(std::remove_if(program.begin(), program.end(),
                                 [](const Op& op) { return IsCommunication(op.kind); }),
                  program.end());
  }
  return erased;
}

}  // namespace stagecraft
