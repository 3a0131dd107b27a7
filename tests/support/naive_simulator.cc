#include "tests/support/naive_simulator.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "schedules/schedule.h"
#include "sim/durations.h"

namespace stagecraft::test {
namespace {

/// A boundary tensor on its way, and how far its two ends have come.
struct Flight {
  OpRef send, recv;
  Nanoseconds hold{0};
  Nanoseconds reached{0};  ///< The sender came to the SEND.
  Nanoseconds posted{0};   ///< The receiver came to the RECV.
  Nanoseconds start{0};
  std::int64_t bytes = 0;
};

class NaiveSimulator {
 public:
  NaiveSimulator(const Schedule& schedule, const Costs& costs, const Topology& topology)
      : schedule_(schedule), costs_(costs), topology_(topology) {
    for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
      const Program& program = schedule.programs[static_cast<std::size_t>(rank)];
      spans_.emplace_back(program.size());
      for (std::int32_t i = 0; i < static_cast<std::int32_t>(program.size()); ++i) {
        const Op& op = program[static_cast<std::size_t>(i)];
        where_[{op.kind, op.stage, op.microbatch}] = {rank, i};
        if (op.kind == OpKind::kAllReduce) {
          meetings_[op.stage][rank].push_back(i);
        }
      }
    }
    FindFlights();
  }

  Timeline Run() {
    do {
      moved_ = false;
      for (std::int32_t rank = 0; rank < schedule_.shape.ranks; ++rank) {
        Visit(rank);
      }
      MoveFlights();
    } while (moved_);
    Timeline timeline;
    for (const std::vector<Span>& spans : spans_) {
      timeline.spans.insert(timeline.spans.end(), spans.begin(), spans.end());
    }
    for (const auto& [send, flight] : flights_) {
      timeline.transfers.push_back(
          {flight.send, flight.recv, flight.start, Arrival(flight), flight.bytes});
    }
    return timeline;
  }

 private:
  std::optional<OpRef> Find(OpKind kind, std::int32_t stage, std::int32_t microbatch) const {
    const auto found = where_.find({kind, stage, microbatch});
    return found == where_.end() ? std::nullopt : std::optional(found->second);
  }

  /// Channels are FIFOs: the n-th SEND from a rank to another is the n-th RECV there.
  void FindFlights() {
    for (std::int32_t rank = 0; rank < schedule_.shape.ranks; ++rank) {
      const Program& program = schedule_.programs[static_cast<std::size_t>(rank)];
      for (std::int32_t i = 0; i < static_cast<std::int32_t>(program.size()); ++i) {
        const Op& op = program[static_cast<std::size_t>(i)];
        const bool forward = op.kind == OpKind::kSendForward;
        if (!forward && op.kind != OpKind::kSendBackward) {
          continue;
        }
        Flight flight;
        flight.send = {rank, i};
        flight.recv = *Find(forward ? OpKind::kRecvForward : OpKind::kRecvBackward,
                            op.stage + (forward ? 1 : -1), op.microbatch);
        flight.bytes = costs_.stages[static_cast<std::size_t>(forward ? op.stage : op.stage - 1)]
                           .sizes.output_bytes;
        flight.hold = HoldTime(flight.bytes, topology_);
        flights_[flight.send] = flight;
        channels_[{rank, flight.recv.rank}].push_back(flight.send);
      }
    }
  }

  Nanoseconds Arrival(const Flight& flight) const {
    return flight.start + flight.hold + topology_.latency;
  }

  void MoveFlights() {
    for (const auto& [ranks, sends] : channels_) {
      Nanoseconds free{0};
      for (const OpRef send : sends) {
        Flight& flight = flights_[send];
        Nanoseconds start = std::max(free, flight.reached);
        if (topology_.send != SendMode::kEager) {
          start = std::max(start, flight.posted);
        }
        Move(flight.start, start);
        free = flight.start + flight.hold;
      }
    }
  }

  void Move(Nanoseconds& time, Nanoseconds later) {
    moved_ = moved_ || time != later;
    time = later;
  }

  Nanoseconds EndOf(OpRef op) const {
    return spans_[static_cast<std::size_t>(op.rank)][static_cast<std::size_t>(op.index)].end;
  }

  /// When the data that `op` works on is there.
  Nanoseconds InputReady(const Op& op, std::int32_t rank) const {
    const bool forward = op.kind == OpKind::kForward;
    if (!forward && op.kind != OpKind::kBackward && op.kind != OpKind::kBackwardInput) {
      return Nanoseconds(0);  // All else it needs was done before on this rank.
    }
    const std::int32_t before = op.stage + (forward ? -1 : 1);
    const auto recv =
        Find(forward ? OpKind::kRecvForward : OpKind::kRecvBackward, op.stage, op.microbatch);
    if (recv && recv->rank == rank) {
      const auto send =
          Find(forward ? OpKind::kSendForward : OpKind::kSendBackward, before, op.microbatch);
      return Arrival(flights_.at(*send));
    }
    for (const OpKind kind : {OpKind::kForward, OpKind::kBackward, OpKind::kBackwardInput}) {
      const auto producer = Find(kind, before, op.microbatch);
      if ((kind == OpKind::kForward) == forward && producer) {
        return EndOf(*producer);
      }
    }
    return Nanoseconds(0);
  }

  Nanoseconds CostOfOp(const Op& op) const {
    const StageCosts& stage = costs_.stages[static_cast<std::size_t>(op.stage)];
    switch (op.kind) {
      case OpKind::kForward:
        return stage.forward;
      case OpKind::kBackward:
        return stage.backward;
      case OpKind::kBackwardInput:
        return stage.backward_input;
      case OpKind::kBackwardWeight:
        return stage.backward_weight;
      case OpKind::kRecompute:
        return stage.recompute;
      case OpKind::kStep:
        return stage.step;
      case OpKind::kPredict:
        return stage.predict;
      case OpKind::kAllReduce:
        return stage.allreduce;
      default:
        return Nanoseconds(0);
    }
  }

  /// One pass over a program; `lane` is when the rank gets to the next op.
  void Visit(std::int32_t rank) {
    const Program& program = schedule_.programs[static_cast<std::size_t>(rank)];
    Nanoseconds lane{0};
    std::map<std::int32_t, std::size_t> turn;
    for (std::size_t i = 0; i < program.size(); ++i) {
      const Op& op = program[i];
      const OpRef here{rank, static_cast<std::int32_t>(i)};
      switch (op.kind) {
        case OpKind::kSendForward:
        case OpKind::kSendBackward: {
          Flight& flight = flights_[here];
          Move(flight.reached, lane);
          const Nanoseconds reached = lane;
          lane = topology_.send == SendMode::kBlocking ? std::max(lane, Arrival(flight)) : lane;
          SetSpan(here, {reached, lane});
          break;
        }
        case OpKind::kRecvForward:
        case OpKind::kRecvBackward: {
          const OpRef send =
              *Find(op.kind == OpKind::kRecvForward ? OpKind::kSendForward : OpKind::kSendBackward,
                    op.stage + (op.kind == OpKind::kRecvForward ? -1 : 1), op.microbatch);
          Move(flights_[send].posted, lane);
          SetSpan(here, {lane, lane});
          break;
        }
        case OpKind::kAllReduce:
          lane = Meet(here, op, turn[op.stage]++, lane);
          break;
        default:
          lane = RunCell(rank, i, lane);
      }
    }
  }

  /// The turn-th all-reduce of a stage: starts when the last member gets there.
  Nanoseconds Meet(OpRef here, const Op& op, std::size_t turn, Nanoseconds lane) {
    Move(reached_[here], lane);
    Nanoseconds start{0};
    Nanoseconds longest{0};
    for (const auto& [rank, indices] : meetings_[op.stage]) {
      start = std::max(start, reached_[{rank, indices[turn]}]);
      longest = std::max(longest, AtSpeed(CostOfOp(op), topology_.SpeedOf(rank)));
    }
    SetSpan(here, {start, start + longest});
    return start + longest;
  }

  /// Runs the cell that begins at `i`, which moves to its last op.
  Nanoseconds RunCell(std::int32_t rank, std::size_t& i, Nanoseconds lane) {
    const Program& program = schedule_.programs[static_cast<std::size_t>(rank)];
    const std::size_t begin = i;
    while (program[i].joined) {
      ++i;
    }
    Nanoseconds start = lane;
    Nanoseconds cost{0};
    for (std::size_t member = begin; member <= i; ++member) {
      start = std::max(start, InputReady(program[member], rank));
      cost += CostOfOp(program[member]);
    }
    const std::optional<Nanoseconds> joined =
        costs_.stages[static_cast<std::size_t>(program[begin].stage)].joined;
    cost = i > begin ? joined.value_or(cost) : cost;
    const Nanoseconds end = start + AtSpeed(cost, topology_.SpeedOf(rank));
    for (std::size_t member = begin; member <= i; ++member) {
      SetSpan({rank, static_cast<std::int32_t>(member)}, {start, end});
    }
    return end;
  }

  void SetSpan(OpRef op, Span span) {
    Span& known = spans_[static_cast<std::size_t>(op.rank)][static_cast<std::size_t>(op.index)];
    moved_ = moved_ || known != span;
    known = span;
  }

  const Schedule& schedule_;
  const Costs& costs_;
  const Topology& topology_;
  bool moved_ = false;
  std::vector<std::vector<Span>> spans_;
  std::map<std::tuple<OpKind, std::int32_t, std::int32_t>, OpRef> where_;
  std::map<OpRef, Flight> flights_;
  std::map<std::pair<std::int32_t, std::int32_t>, std::vector<OpRef>> channels_;
  std::map<std::int32_t, std::map<std::int32_t, std::vector<std::int32_t>>> meetings_;
  std::map<OpRef, Nanoseconds> reached_;
};

}  // namespace

Timeline NaivelySimulate(const Schedule& schedule, const Costs& costs, const Topology& topology) {
  return NaiveSimulator(schedule, costs, topology).Run();
}

}  // namespace stagecraft::test
