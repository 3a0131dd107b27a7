#include "sim/events.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <utility>
#include <vector>

#include "schedules/check.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/durations.h"
#include "sim/transfer_index.h"

namespace stagecraft {
namespace {

/// Something that happens at `time`; of several the one announced first comes first.
struct Event {
  Nanoseconds time{0};
  std::uint32_t sequence = 0;
  std::int32_t subject = 0;  ///< A rank whose lane becomes free; or -1 - a transfer that arrives.

  friend bool operator>(const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
  }
};

/// Of one rank.
struct RankState {
  std::int32_t cursor = 0;  ///< The op that runs, or the next one.
  bool running = false;     ///< In an op, or at a barrier of it: an event will free the lane.
  bool counted = false;     ///< At an A whose other members are not all there.
};

/// Of one SEND and its RECV.
struct TransferState {
  bool reached = false;  ///< The sender stands at, or behind, the SEND.
  bool posted = false;   ///< The receiver stands behind the RECV.
  bool started = false;
  bool arrived = false;
};

/// The rules of sim/README.md, event by event. Nothing is known ahead of time: neither an order of
/// the ops nor which input of an op comes last.
class EventRun {
 public:
  EventRun(const Schedule& schedule, const Dependencies& dependencies, const Costs& costs,
           const Topology& topology)
      : schedule_(schedule),
        dependencies_(dependencies),
        costs_(costs),
        topology_(topology),
        ids_(schedule),
        ranks_(schedule.programs.size()),
        index_(IndexTransfers(schedule, dependencies)),
        transfers_(index_.transfers.Count()),
        channels_(schedule.programs.size()) {
    timeline_.spans.resize(ids_.Size());
    timeline_.transfers = std::move(index_.transfers);
    for (Transfer& transfer : timeline_.transfers) {
      transfer.bytes = BytesOf(schedule.At(transfer.send), costs);
    }
    for (const Collective& collective : dependencies.collectives) {
      missing_.push_back(collective.members.Count());
    }
  }

  std::optional<Timeline> Finish() {
    for (std::int32_t rank = 0; rank < ranks_.Count(); ++rank) {
      Advance(rank);
    }

    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.time;

      if (event.subject >= 0) {
        ranks_[event.subject].running = false;
        Advance(event.subject);
      } else {
        Arrive(-1 - event.subject);
      }
    }

    for (std::int32_t rank = 0; rank < ranks_.Count(); ++rank) {
      if (ranks_[rank].cursor != schedule_.programs[rank].Count()) {
        return std::nullopt;
      }
    }
    return std::move(timeline_);
  }

 private:
  struct Channel {
    std::int32_t to = 0;
    Nanoseconds free{0};
  };

  Span& SpanOf(OpRef ref) { return timeline_.spans[ids_.Of(ref)]; }

  /// Runs `rank` from now until an op takes time or must wait.
  void Advance(std::int32_t rank) {
    RankState& state = ranks_[rank];
    const Program& program = schedule_.programs[rank];
    while (!state.running && state.cursor < program.Count()) {
      const OpRef ref{rank, state.cursor};
      const OpTraits& traits = TraitsOf(program[state.cursor].kind);
      const bool done = traits.is_send                      ? Send(ref)
                        : traits.is_recv                    ? Receive(ref)
                        : traits.kind == OpKind::kAllReduce ? Meet(ref)
                                                            : Run(ref);
      if (!done) {
        return;
      }
    }
  }

  bool Send(OpRef ref) {
    const std::int32_t index = index_.of_op[ref];
    TransferState& transfer = transfers_[index];
    if (!transfer.reached) {
      transfer.reached = true;
      SpanOf(ref) = {now_, now_};
      StartIfReady(index);
    }

    if (topology_.send == SendMode::kBlocking) {
      if (!transfer.arrived) {
        return false;
      }
      SpanOf(ref).end = now_;
    }
    ++ranks_[ref.rank].cursor;
    return true;
  }

  bool Receive(OpRef ref) {
    const std::int32_t index = index_.of_op[ref];
    SpanOf(ref) = {now_, now_};
    transfers_[index].posted = true;
    StartIfReady(index);
    ++ranks_[ref.rank].cursor;
    return true;
  }

  /// Transfers of a channel become ready in the order of their SENDs: a queue needs no list.
  void StartIfReady(std::int32_t index) {
    TransferState& state = transfers_[index];
    if (state.started || !state.reached || (topology_.send != SendMode::kEager && !state.posted)) {
      return;
    }
    state.started = true;
    Transfer& transfer = timeline_.transfers[index];
    Channel& channel = ChannelOf(transfer.send.rank, transfer.recv.rank);
    transfer.start = std::max(now_, channel.free);
    channel.free = transfer.start + HoldTime(transfer.bytes, topology_);
    transfer.arrival = channel.free + topology_.latency;
    Announce(transfer.arrival, -1 - index);
  }

  void Arrive(std::int32_t index) {
    transfers_[index].arrived = true;
    const Transfer& transfer = timeline_.transfers[index];
    Advance(transfer.recv.rank);
    if (topology_.send == SendMode::kBlocking) {
      Advance(transfer.send.rank);
    }
  }

  bool Run(OpRef ref) {
    const Program& program = schedule_.programs[ref.rank];
    const std::int32_t end = CellEnd(program, ref.index);
    for (std::int32_t i = ref.index; i < end; ++i) {
      if (!HasInput({ref.rank, i})) {
        return false;
      }
    }

    const TableView<const Op> cell = TableView<const Op>(program).Between(ref.index, end);
    const Nanoseconds duration = AtSpeed(CellCost(cell, costs_), topology_.SpeedOf(ref.rank));
    for (std::int32_t i = ref.index; i < end; ++i) {
      SpanOf({ref.rank, i}) = {now_, now_ + duration};
    }
    Occupy(ref.rank, end, now_ + duration);
    return true;
  }

  /// What a rank makes itself is there in time: it stands before its consumer in the program.
  bool HasInput(OpRef ref) const {
    const std::int32_t transfer = index_.of_op[ref];
    return transfer == kNoTransfer || transfers_[transfer].arrived;
  }

  bool Meet(OpRef ref) {
    RankState& state = ranks_[ref.rank];
    if (state.counted) {
      return false;
    }
    state.counted = true;

    const std::int32_t collective = dependencies_.collective[ref];
    if (--missing_[collective] > 0) {
      return false;
    }

    const Table<OpRef>& members = dependencies_.collectives[collective].members;
    Nanoseconds slowest{0};

    for (const OpRef member : members) {
      slowest = std::max(slowest, AtSpeed(CellCost({&schedule_.At(member), 1}, costs_),
                                          topology_.SpeedOf(member.rank)));
    }
    for (const OpRef member : members) {
      ranks_[member.rank].counted = false;
      SpanOf(member) = {now_, now_ + slowest};
      Occupy(member.rank, member.index + 1, now_ + slowest);
    }
    return true;
  }

  void Occupy(std::int32_t rank, std::int32_t cursor, Nanoseconds until) {
    RankState& state = ranks_[rank];
    state.cursor = cursor;
    state.running = true;
    Announce(until, rank);
  }

  void Announce(Nanoseconds time, std::int32_t subject) {
    events_.push({time, sequence_++, subject});
  }

  /// A rank talks to few others: a short list each.
  Channel& ChannelOf(std::int32_t from, std::int32_t to) {
    Table<Channel>& known = channels_[from];
    const auto found = std::find_if(known.begin(), known.end(),
                                    [to](const Channel& channel) { return channel.to == to; });
    return found != known.end() ? *found : known.emplace_back(Channel{to, Nanoseconds(0)});
  }

  const Schedule& schedule_;
  const Dependencies& dependencies_;
  const Costs& costs_;
  const Topology& topology_;
  OpIds ids_;
  Timeline timeline_;
  Nanoseconds now_{0};
  std::uint32_t sequence_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  Table<RankState> ranks_;
  TransferIndex index_;
  Table<TransferState> transfers_;  ///< As in the timeline.
  Table<std::int32_t> missing_;     ///< Per collective: members that are not there yet.
  Table<Table<Channel>> channels_;  ///< Per sending rank.
};

}  // namespace

std::optional<Timeline> RunEvents(const Schedule& schedule, const Dependencies& dependencies,
                                  const Costs& costs, const Topology& topology) {
  return EventRun(schedule, dependencies, costs, topology).Finish();
}

}  // namespace stagecraft
