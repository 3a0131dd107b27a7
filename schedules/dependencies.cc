#include "schedules/dependencies.h"

#include <algorithm>
#include <cstddef>

namespace stagecraft {
namespace {

/// Where the ops of every (stage, micro-batch) stand; the first of duplicates.
class Places {
 public:
  explicit Places(const Schedule& schedule)
      : stages_(schedule.shape.stages), microbatches_(schedule.shape.microbatches) {
    const std::size_t pairs =
        static_cast<std::size_t>(stages_) * static_cast<std::size_t>(microbatches_);
    forward_.resize(pairs);
    backward_.resize(pairs);
    if (HasCommunication(schedule)) {
      for (std::vector<OpRef>* table : {&send_f_, &recv_f_, &send_b_, &recv_b_}) {
        table->resize(pairs);
      }
    }
    for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
      const std::vector<Op>& program = schedule.programs[rank];
      for (std::size_t i = 0; i < program.size(); ++i) {
        Add(program[i], {static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)});
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
    std::vector<OpRef>* table = TableOf(op.kind);
    if (table == nullptr || !InRange(op, 0)) {
      return;
    }
    OpRef& entry = (*table)[Index(op, 0)];
    if (!entry) {
      entry = place;
    }
  }

  std::vector<OpRef>* TableOf(OpKind kind) {
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
    return stage >= 0 && stage < stages_ && op.microbatch >= 0 && op.microbatch < microbatches_;
  }

  std::size_t Index(const Op& op, std::int32_t stage_offset) const {
    return static_cast<std::size_t>(op.stage + stage_offset) *
               static_cast<std::size_t>(microbatches_) +
           static_cast<std::size_t>(op.microbatch);
  }

  OpRef At(const std::vector<OpRef>& table, const Op& op, std::int32_t stage_offset) const {
    return table.empty() || !InRange(op, stage_offset) ? kNoOp : table[Index(op, stage_offset)];
  }

  static OpRef ReceivedOr(OpRef recv, std::int32_t rank, OpRef producer) {
    return recv && recv.rank == rank ? recv : producer;
  }

  std::int32_t stages_;
  std::int32_t microbatches_;
  std::vector<OpRef> forward_, backward_, send_f_, recv_f_, send_b_, recv_b_;
};

std::vector<Collective> FindCollectives(const Schedule& schedule) {
  std::vector<std::vector<Collective>> of_stage(static_cast<std::size_t>(schedule.shape.stages));
  std::vector<std::size_t> seen(of_stage.size(), 0);
  std::vector<std::size_t> touched;
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    for (const std::size_t stage : touched) {
      seen[stage] = 0;
    }
    touched.clear();
    const std::vector<Op>& program = schedule.programs[rank];
    for (std::size_t i = 0; i < program.size(); ++i) {
      if (program[i].kind != OpKind::kAllReduce || program[i].stage < 0 ||
          program[i].stage >= schedule.shape.stages) {
        continue;
      }
      const auto stage = static_cast<std::size_t>(program[i].stage);
      const std::size_t turn = seen[stage]++;
      touched.push_back(stage);
      if (turn == of_stage[stage].size()) {
        of_stage[stage].push_back({program[i].stage, {}});
      }
      of_stage[stage][turn].members.push_back(
          {static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)});
    }
  }
  std::vector<Collective> all;
  for (std::vector<Collective>& collectives : of_stage) {
    all.insert(all.end(), collectives.begin(), collectives.end());
  }
  return all;
}

bool HasAllReduce(const Schedule& schedule) {
  return std::any_of(
      schedule.programs.begin(), schedule.programs.end(), [](const std::vector<Op>& program) {
        return std::any_of(program.begin(), program.end(),
                           [](const Op& op) { return op.kind == OpKind::kAllReduce; });
      });
}

}  // namespace

bool IsDense(const Schedule& schedule) {
  std::int64_t ops = 0;
  for (const std::vector<Op>& program : schedule.programs) {
    ops += static_cast<std::int64_t>(program.size());
  }
  const std::int64_t pairs = std::int64_t{schedule.shape.stages} * schedule.shape.microbatches;
  return pairs <= std::max(kMaxDensePairs, 2 * ops);
}

Dependencies FindDependencies(const Schedule& schedule) {
  Dependencies found;
  const std::size_t ranks = schedule.programs.size();
  found.input.resize(ranks);
  found.matching_recv.resize(ranks);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    found.input[rank].resize(schedule.programs[rank].size());
  }
  if (!IsDense(schedule)) {
    return found;
  }
  if (HasAllReduce(schedule)) {
    found.collectives = FindCollectives(schedule);
  }
  if (HasCommunication(schedule)) {
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      found.matching_recv[rank].resize(schedule.programs[rank].size());
    }
  }
  const Places places(schedule);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const std::vector<Op>& program = schedule.programs[rank];
    for (std::size_t i = 0; i < program.size(); ++i) {
      const OpRef input = places.InputOf(program[i], static_cast<std::int32_t>(rank));
      found.input[rank][i] = input;
      if (TraitsOf(program[i].kind).is_recv && input) {
        OpRef& match = found.matching_recv[static_cast<std::size_t>(input.rank)]
                                          [static_cast<std::size_t>(input.index)];
        if (!match) {
          match = {static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)};
        }
      }
    }
  }
  return found;
}

std::int32_t CellBegin(const std::vector<Op>& program, std::int32_t index) {
  while (index > 0 && program[static_cast<std::size_t>(index) - 1].joined) {
    --index;
  }
  return index;
}

}  // namespace stagecraft
