#include "schedules/activations.h"

#include <algorithm>
#include <cstddef>

#include "schedules/dependencies.h"
#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/weight_slots.h"

namespace stagecraft {
namespace {

/// What an op takes when it starts, after giving back what it only needed until then, and what it
/// gives back when it ends.
struct Change {
  std::int64_t at_start = 0;
  std::int64_t at_end = 0;
};

/// Bytes that ops take and give back: the rules in activations.h.
class ByteChanges {
 public:
  ByteChanges(const Schedule& schedule, TableView<const StageSizes> sizes)
      : schedule_(schedule),
        sizes_(sizes),
        recomputed_(schedule),
        received_(HasCommunication(schedule)) {}

  /// `has_recv`: the op's input waits in a buffer of this rank.
  Change Of(const Op& op, bool has_recv) const {
    const StageSizes& own = Sizes(op.stage);
    switch (op.kind) {
      case OpKind::kForward:
        return Forward(op, has_recv);
      case OpKind::kRecompute:
        return {own.activation_bytes, 0};
      case OpKind::kBackward:
        return {-RecvBytes(op, has_recv), -(own.activation_bytes + KeptInput(op))};
      case OpKind::kBackwardInput:
        return {-RecvBytes(op, has_recv), -own.released_by_backward_input};
      case OpKind::kBackwardWeight:
        return {0, own.released_by_backward_input - own.activation_bytes - KeptInput(op)};
      case OpKind::kRecvForward:
      case OpKind::kRecvBackward:
        return {BoundaryBytes(op), 0};
      default:
        return {};
    }
  }

  bool HasRecvs() const { return received_; }

 private:
  const StageSizes& Sizes(std::int32_t stage) const { return sizes_[stage]; }

  Change Forward(const Op& op, bool has_recv) const {
    const StageSizes& own = Sizes(op.stage);
    const std::int64_t buffer = RecvBytes(op, has_recv);
    if (schedule_.mode == Mode::kForward) {
      return {own.activation_bytes - buffer, -own.activation_bytes};
    }
    return {(recomputed_.Has(op) ? own.input_bytes : own.activation_bytes) - buffer, 0};
  }

  std::int64_t KeptInput(const Op& op) const {
    return recomputed_.Has(op) ? Sizes(op.stage).input_bytes : 0;
  }

  /// Of the tensor that enters the stage: from the stage before for F, from the one behind for B.
  std::int64_t BoundaryBytes(const Op& op) const {
    const bool forward = op.kind == OpKind::kForward || op.kind == OpKind::kRecvForward;
    return forward ? (op.stage > 0 ? Sizes(op.stage - 1).output_bytes : 0)
                   : Sizes(op.stage).output_bytes;
  }

  std::int64_t RecvBytes(const Op& op, bool has_recv) const {
    return has_recv ? BoundaryBytes(op) : 0;
  }

  const Schedule& schedule_;
  TableView<const StageSizes> sizes_;
  RecomputedForwards recomputed_;
  bool received_;
};

/// Full activation sets instead of bytes.
class SetChanges {
 public:
  explicit SetChanges(const Schedule& schedule)
      : forward_mode_(schedule.mode == Mode::kForward), recomputed_(schedule) {}

  Change Of(const Op& op, bool /*has_recv*/) const {
    switch (op.kind) {
      case OpKind::kForward:
        return {recomputed_.Has(op) ? 0 : 1, forward_mode_ ? -1 : 0};
      case OpKind::kRecompute:
        return {1, 0};
      case OpKind::kBackward:
      case OpKind::kBackwardWeight:
        return {0, -1};
      default:
        return {};
    }
  }

  static bool HasRecvs() { return false; }

 private:
  bool forward_mode_;
  RecomputedForwards recomputed_;
};

/// Whether a RECV of this rank stands before the F, B or I that consumes it: one bit per kind, by
/// stage and micro-batch of the receives still in their buffers.
class Buffers {
 public:
  Buffers(const Schedule& schedule, std::int32_t rank, bool wanted) {
    if (!wanted) {
      return;
    }
    const Table<std::int32_t>& stages = schedule.placement[rank];
    local_.resize(schedule.shape.stages, 0);
    for (std::int32_t i = 0; i < stages.Count(); ++i) {
      local_[stages[i]] = i;
    }
    full_f_ = full_b_ = PairTable<char>(stages.Count(), schedule.shape.microbatches);
  }

  /// Notes a RECV; for other ops, whether one was noted.
  bool Visit(const Op& op) {
    if (local_.empty() || !TraitsOf(op.kind).has_microbatch) {
      return false;
    }
    if (TraitsOf(op.kind).is_send || op.kind == OpKind::kBackwardWeight ||
        op.kind == OpKind::kRecompute) {
      return false;
    }

    const bool forward = op.kind == OpKind::kForward || op.kind == OpKind::kRecvForward;
    char& full = (forward ? full_f_ : full_b_)(local_[op.stage], op.microbatch);
    if (TraitsOf(op.kind).is_recv) {
      full = 1;
      return false;
    }
    return full != 0;
  }

 private:
  Table<std::int32_t> local_;        ///< Per stage: its place on the rank.
  PairTable<char> full_f_, full_b_;  ///< By such places: whether a RECV_F, a RECV_B was noted.
};

/// Calls `visit(index, op, level)` around every op of `rank` in order. The members of a cell share
/// the level at which all of them run.
template <typename Changes, typename Visit>
void WalkLevels(const Schedule& schedule, std::int32_t rank, const Changes& changes,
                std::int64_t level, const Visit& visit) {
  const Program& program = schedule.programs[rank];
  Buffers buffers(schedule, rank, changes.HasRecvs());
  std::int32_t end = 0;
  for (std::int32_t begin = 0; begin < program.Count(); begin = end) {
    end = CellEnd(program, begin);

    // All members take what they need before any of them gives something back.
    std::int64_t given_back = 0;
    for (std::int32_t i = begin; i < end; ++i) {
      const Change change = changes.Of(program[i], buffers.Visit(program[i]));
      level += change.at_start;
      given_back += change.at_end;
    }

    for (std::int32_t i = begin; i < end; ++i) {
      visit(i, program[i], MemoryLevel{level, level + given_back});
    }
    level += given_back;
  }
}

Table<std::int64_t> StaticBytes(const Schedule& schedule, TableView<const StageSizes> sizes) {
  Table<std::int64_t> bytes(schedule.programs.size(), 0);
  for (const StageSlots& slots : CountWeightSlots(schedule)) {
    const StageSizes& stage = sizes[slots.stage];
    bytes[slots.rank] += slots.slots * stage.parameter_bytes + stage.optimizer_bytes;
  }
  return bytes;
}

}  // namespace

RecomputedForwards::RecomputedForwards(const Schedule& schedule) {
  if (!KindsOf(schedule).Has(OpKind::kRecompute)) {
    return;
  }
  pairs_ = PairTable<char>(schedule.shape);
  for (const Program& program : schedule.programs) {
    for (const Op& op : program) {
      if (op.kind == OpKind::kRecompute) {
        pairs_[op] = 1;
      }
    }
  }
}

Table<RankMemory> PeakMemory(const Schedule& schedule, TableView<const StageSizes> sizes) {
  const Table<std::int64_t> static_bytes = StaticBytes(schedule, sizes);
  const ByteChanges changes(schedule, sizes);
  Table<RankMemory> memory;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    RankMemory& peak = memory.emplace_back();
    peak.static_bytes = static_bytes[rank];
    peak.peak_bytes = static_bytes[rank];

    WalkLevels(schedule, rank, changes, static_bytes[rank],
               [&](std::int32_t index, const Op&, MemoryLevel level) {
                 if (level.during > peak.peak_bytes || peak.peak_op < 0) {
                   peak.peak_bytes = std::max(peak.peak_bytes, level.during);
                   peak.peak_op = index;
                 }
               });
  }
  return memory;
}

Table<MemoryLevel> MemoryLevels(const Schedule& schedule, TableView<const StageSizes> sizes,
                                std::int32_t rank) {
  Table<MemoryLevel> levels;
  WalkLevels(schedule, rank, ByteChanges(schedule, sizes), StaticBytes(schedule, sizes)[rank],
             [&](std::int32_t, const Op&, MemoryLevel level) { levels.push_back(level); });
  return levels;
}

Table<std::int32_t> PeakActivationSets(const Schedule& schedule) {
  Table<std::int32_t> peak(schedule.shape.stages, 0);
  const SetChanges changes(schedule);
  Table<std::int64_t> held(peak.Count());
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    for (const std::int32_t stage : schedule.placement[rank]) {
      held[stage] = 0;
    }

    const Program& program = schedule.programs[rank];
    std::int32_t open = 0;  // First op of the cell whose members have not ended.
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      const std::int32_t stage = program[i].stage;
      held[stage] += changes.Of(program[i], false).at_start;
      peak[stage] = std::max(peak[stage], static_cast<std::int32_t>(held[stage]));

      for (; !program[i].joined && open <= i; ++open) {
        held[program[open].stage] += changes.Of(program[open], false).at_end;
      }
    }
  }
  return peak;
}

Table<MemoryLevel> ActivationSetLevels(const Schedule& schedule, std::int32_t rank) {
  Table<MemoryLevel> levels;
  WalkLevels(schedule, rank, SetChanges(schedule), 0,
             [&](std::int32_t, const Op&, MemoryLevel level) { levels.push_back(level); });
  return levels;
}

}  // namespace stagecraft
