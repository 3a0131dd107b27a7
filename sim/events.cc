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
#include "sim/durations.h"

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
        channels_(schedule.programs.size()) {
    timeline_.spans.resize(static_cast<std::size_t>(ids_.Size()));
    ListTransfers();
    ListCollectives();
  }

  std::optional<Timeline> Finish() {
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      Advance(static_cast<std::int32_t>(rank));
    }
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.time;
      if (event.subject >= 0) {
        ranks_[static_cast<std::size_t>(event.subject)].running = false;
        Advance(event.subject);
      } else {
        Arrive(static_cast<std::size_t>(-1 - event.subject));
      }
    }
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      if (ranks_[rank].cursor != static_cast<std::int32_t>(schedule_.programs[rank].size())) {
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

  void ListTransfers() {
    transfer_of_.assign(timeline_.spans.size(), -1);
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      const std::vector<Op>& program = schedule_.programs[rank];
      for (std::size_t i = 0; i < program.size(); ++i) {
        if (!TraitsOf(program[i].kind).is_send) {
          continue;
        }
        const OpRef send{static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)};
        const OpRef recv = dependencies_.matching_recv[rank][i];
        STAGECRAFT_CHECK(recv, "every SEND has its RECV in a verified schedule");
        const auto transfer = static_cast<std::int32_t>(timeline_.transfers.size());
        transfer_of_[static_cast<std::size_t>(ids_.Of(send))] = transfer;
        transfer_of_[static_cast<std::size_t>(ids_.Of(recv))] = transfer;
        timeline_.transfers.push_back(
            {.send = send, .recv = recv, .bytes = BytesOf(program[i], costs_)});
      }
    }
    transfers_.resize(timeline_.transfers.size());
  }

  void ListCollectives() {
    if (dependencies_.collectives.empty()) {
      return;
    }
    collective_of_.assign(timeline_.spans.size(), -1);
    for (std::size_t i = 0; i < dependencies_.collectives.size(); ++i) {
      const std::vector<OpRef>& members = dependencies_.collectives[i].members;
      missing_.push_back(members.size());
      for (const OpRef member : members) {
        collective_of_[static_cast<std::size_t>(ids_.Of(member))] = static_cast<std::int32_t>(i);
      }
    }
  }

  Span& SpanOf(OpRef ref) { return timeline_.spans[static_cast<std::size_t>(ids_.Of(ref))]; }

  std::size_t TransferOf(OpRef ref) const {
    return static_cast<std::size_t>(transfer_of_[static_cast<std::size_t>(ids_.Of(ref))]);
  }

  /// Runs `rank` from now until an op takes time or must wait.
  void Advance(std::int32_t rank) {
    RankState& state = ranks_[static_cast<std::size_t>(rank)];
    const std::vector<Op>& program = schedule_.programs[static_cast<std::size_t>(rank)];
    while (!state.running && state.cursor < static_cast<std::int32_t>(program.size())) {
      const OpRef ref{rank, state.cursor};
      const OpTraits& traits = TraitsOf(program[static_cast<std::size_t>(state.cursor)].kind);
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
    TransferState& transfer = transfers_[TransferOf(ref)];
    if (!transfer.reached) {
      transfer.reached = true;
      SpanOf(ref) = {now_, now_};
      StartIfReady(TransferOf(ref));
    }
    if (topology_.send == SendMode::kBlocking) {
      if (!transfer.arrived) {
        return false;
      }
      SpanOf(ref).end = now_;
    }
    ++ranks_[static_cast<std::size_t>(ref.rank)].cursor;
    return true;
  }

  bool Receive(OpRef ref) {
    SpanOf(ref) = {now_, now_};
    transfers_[TransferOf(ref)].posted = true;
    StartIfReady(TransferOf(ref));
    ++ranks_[static_cast<std::size_t>(ref.rank)].cursor;
    return true;
  }

  /// Transfers of a channel become ready in the order of their SENDs: a queue needs no list.
  void StartIfReady(std::size_t index) {
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
    Announce(transfer.arrival, -1 - static_cast<std::int32_t>(index));
  }

  void Arrive(std::size_t index) {
    transfers_[index].arrived = true;
    const Transfer& transfer = timeline_.transfers[index];
    Advance(transfer.recv.rank);
    if (topology_.send == SendMode::kBlocking) {
      Advance(transfer.send.rank);
    }
  }

  bool Run(OpRef ref) {
    const std::vector<Op>& program = schedule_.programs[static_cast<std::size_t>(ref.rank)];
    const std::int32_t end = CellEnd(program, ref.index);
    for (std::int32_t i = ref.index; i < end; ++i) {
      if (!HasInput({ref.rank, i})) {
        return false;
      }
    }
    const std::span<const Op> cell(program.data() + ref.index,
                                   static_cast<std::size_t>(end - ref.index));
    const Nanoseconds duration = AtSpeed(CellCost(cell, costs_), topology_.SpeedOf(ref.rank));
    for (std::int32_t i = ref.index; i < end; ++i) {
      SpanOf({ref.rank, i}) = {now_, now_ + duration};
    }
    Occupy(ref.rank, end, now_ + duration);
    return true;
  }

  /// What a rank makes itself is there in time: it stands before its consumer in the program.
  bool HasInput(OpRef ref) const {
    const OpRef input =
        dependencies_
            .input[static_cast<std::size_t>(ref.rank)][static_cast<std::size_t>(ref.index)];
    if (!input || !TraitsOf(schedule_.At(input).kind).is_recv) {
      STAGECRAFT_CHECK(!input || input.rank == ref.rank,
                       "every edge between ranks has its SEND and RECV");
      return true;
    }
    return transfers_[TransferOf(input)].arrived;
  }

  bool Meet(OpRef ref) {
    RankState& state = ranks_[static_cast<std::size_t>(ref.rank)];
    if (state.counted) {
      return false;
    }
    state.counted = true;
    const auto collective =
        static_cast<std::size_t>(collective_of_[static_cast<std::size_t>(ids_.Of(ref))]);
    if (--missing_[collective] > 0) {
      return false;
    }
    const std::vector<OpRef>& members = dependencies_.collectives[collective].members;
    Nanoseconds slowest{0};
    for (const OpRef member : members) {
      slowest = std::max(slowest, AtSpeed(CellCost({&schedule_.At(member), 1}, costs_),
                                          topology_.SpeedOf(member.rank)));
    }
    for (const OpRef member : members) {
      ranks_[static_cast<std::size_t>(member.rank)].counted = false;
      SpanOf(member) = {now_, now_ + slowest};
      Occupy(member.rank, member.index + 1, now_ + slowest);
    }
    return true;
  }

  void Occupy(std::int32_t rank, std::int32_t cursor, Nanoseconds until) {
    RankState& state = ranks_[static_cast<std::size_t>(rank)];
    state.cursor = cursor;
    state.running = true;
    Announce(until, rank);
  }

  void Announce(Nanoseconds time, std::int32_t subject) {
    events_.push({time, sequence_++, subject});
  }

  /// A rank talks to few others: a short list each.
  Channel& ChannelOf(std::int32_t from, std::int32_t to) {
    std::vector<Channel>& known = channels_[static_cast<std::size_t>(from)];
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
  std::vector<RankState> ranks_;
  std::vector<TransferState> transfers_;        ///< As in the timeline.
  std::vector<std::int32_t> transfer_of_;       ///< Per op: transfer of a SEND or RECV.
  std::vector<std::int32_t> collective_of_;     ///< Per op: collective of an A; may be empty.
  std::vector<std::size_t> missing_;            ///< Per collective: members that are not there yet.
  std::vector<std::vector<Channel>> channels_;  ///< Per sending rank.
};

}  // namespace

std::optional<Timeline> RunEvents(const Schedule& schedule, const Dependencies& dependencies,
                                  const Costs& costs, const Topology& topology) {
  return EventRun(schedule, dependencies, costs, topology).Finish();
}

}  // namespace stagecraft
