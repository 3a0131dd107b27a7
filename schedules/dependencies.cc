#include "schedules/dependencies.h"

#include <algorithm>
#include <cstddef>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Where the ops of every (stage, micro-batch) stand; the first of duplicates.
class Places {
 public:
  explicit Places(const Schedule& schedule) : shape_(schedule.shape) {
    forward_ = backward_ = PairTable<OpRef>(shape_);
    if (HasCommunication(schedule)) {
      send_f_ = recv_f_ = send_b_ = recv_b_ = PairTable<OpRef>(shape_);
    }
    for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
      const Program& program = schedule.programs[rank];
      for (std::int32_t i = 0; i < program.Count(); ++i) {
        Add(program[i], {rank, i});
      }
    }
  }

  /// The op whose result `op`, on `rank`, consumes: the table in dependencies.h.
  OpRef InputOf(const Op& op, std::int32_t rank) const {
    switch (op.kind) {
      case OpKind::kForward:
        return ReceivedOr(At(recv_f_, op, 0), rank, At(forward_, op, -1));
      case OpKind::kBackward:
      case OpKind::kBackwardInput:
        return ReceivedOr(At(recv_b_, op, 0), rank, At(backward_, op, +1));
      case OpKind::kBackwardWeight:
      case OpKind::kSendBackward:
        return At(backward_, op, 0);
      case OpKind::kRecompute:
      case OpKind::kSendForward:
        return At(forward_, op, 0);
      case OpKind::kRecvForward:
        return At(send_f_, op, -1);
      case OpKind::kRecvBackward:
        return At(send_b_, op, +1);
      case OpKind::kStep:
      case OpKind::kPredict:
      case OpKind::kAllReduce:
        break;
    }
    return kNoOp;
  }

 private:
  void Add(const Op& op, OpRef place) {
    PairTable<OpRef>* const table = TableOf(op.kind);
    if (table == nullptr || !InRange(op, 0)) {
      return;
    }
    OpRef& entry = (*table)[op];
    if (!entry) {
      entry = place;
    }
  }

  PairTable<OpRef>* TableOf(OpKind kind) {
    switch (kind) {
      case OpKind::kForward:
        return &forward_;
      case OpKind::kBackward:
      case OpKind::kBackwardInput:
        return &backward_;
      case OpKind::kSendForward:
        return &send_f_;
      case OpKind::kRecvForward:
        return &recv_f_;
      case OpKind::kSendBackward:
        return &send_b_;
      case OpKind::kRecvBackward:
        return &recv_b_;
      default:
        return nullptr;
    }
  }

  bool InRange(const Op& op, std::int32_t stage_offset) const {
    const std::int64_t stage = std::int64_t{op.stage} + stage_offset;
    return stage >= 0 && stage < shape_.stages && op.microbatch >= 0 &&
           op.microbatch < shape_.microbatches;
  }

  OpRef At(const PairTable<OpRef>& table, const Op& op, std::int32_t stage_offset) const {
    return table.empty() || !InRange(op, stage_offset)
               ? kNoOp
               : table(op.stage + stage_offset, op.microbatch);
  }

  static OpRef ReceivedOr(OpRef recv, std::int32_t rank, OpRef producer) {
    return recv && recv.rank == rank ? recv : producer;
  }

  Shape shape_;
  PairTable<OpRef> forward_, backward_, send_f_, recv_f_, send_b_, recv_b_;
};

Table<Collective> FindCollectives(const Schedule& schedule) {
  Table<Table<Collective>> of_stage(schedule.shape.stages);
  Table<std::int32_t> seen(schedule.shape.stages);  // Of the rank at hand.
  Table<std::int32_t> touched;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    for (const std::int32_t stage : touched) {
      seen[stage] = 0;
    }
    touched.clear();

    // The k-th A of a stage on this rank joins the k-th collective of the stage.
    const Program& program = schedule.programs[rank];
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      const std::int32_t stage = program[i].stage;
      if (program[i].kind != OpKind::kAllReduce || stage < 0 || stage >= schedule.shape.stages) {
        continue;
      }

      const std::int32_t turn = seen[stage]++;
      touched.push_back(stage);
      if (turn == of_stage[stage].Count()) {
        of_stage[stage].push_back({stage, {}});
      }
      of_stage[stage][turn].members.push_back({rank, i});
    }
  }

  Table<Collective> all;
  for (const Table<Collective>& collectives : of_stage) {
    all.insert(all.end(), collectives.begin(), collectives.end());
  }
  return all;
}

}  // namespace

bool IsDense(const Schedule& schedule) {
  std::int64_t ops = 0;
  for (const Program& program : schedule.programs) {
    ops += static_cast<std::int64_t>(program.size());
  }
  const std::int64_t pairs = std::int64_t{schedule.shape.stages} * schedule.shape.microbatches;
  return pairs <= std::max(kMaxDensePairs, 2 * ops);
}

Dependencies FindDependencies(const Schedule& schedule) {
  const OpIds ids(schedule);
  Dependencies found{.input = OpTable<OpRef>(ids),
                     .matching_recv = OpTable<OpRef>(ids),
                     .collective = OpTable<std::int32_t>(ids, -1),
                     .collectives = {}};
  if (!IsDense(schedule)) {
    return found;
  }

  if (KindsOf(schedule).Has(OpKind::kAllReduce)) {
    found.collectives = FindCollectives(schedule);
    for (std::int32_t i = 0; i < found.collectives.Count(); ++i) {
      for (const OpRef member : found.collectives[i].members) {
        found.collective[member] = i;
      }
    }
  }

  const Places places(schedule);
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      const OpRef ref{rank, i};
      const OpRef input = places.InputOf(program[i], rank);
      found.input[ref] = input;
      if (TraitsOf(program[i].kind).is_recv && input && !found.matching_recv[input]) {
        found.matching_recv[input] = ref;
      }
    }
  }
  return found;
}

std::int32_t CellBegin(const Program& program, std::int32_t index) {
  while (index > 0 && program[index - 1].joined) {
    --index;
  }
  return index;
}

}  // namespace stagecraft
