#include "schedules/activations.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "schedules/weight_slots.h"

namespace stagecraft {
namespace {

/// What an op takes when it starts, after giving back what it only needed until then, and what it
/// gives back when it ends.
struct Change {
  std::int64_t at_start = 0;
  std::int64_t at_end = 0;
};

/// Which (stage, micro-batch) are recomputed; empty if none is.
std::vector<bool> FindRecomputed(const Schedule& schedule) {
  std::vector<bool> recomputed;
  const auto microbatches = static_cast<std::size_t>(schedule.shape.microbatches);
  for (const std::vector<Op>& program : schedule.programs) {
    for (const Op& op : program) {
      if (op.kind == OpKind::kRecompute) {
        recomputed.resize(static_cast<std::size_t>(schedule.shape.stages) * microbatches, false);
        recomputed[static_cast<std::size_t>(op.stage) * microbatches +
                   static_cast<std::size_t>(op.microbatch)] = true;
      }
    }
  }
  return recomputed;
}

/// Bytes that ops take and give back: the rules in activations.h.
class ByteChanges {
 public:
  ByteChanges(const Schedule& schedule, std::span<const StageSizes> sizes)
      : schedule_(schedule),
        sizes_(sizes),
        recomputed_(FindRecomputed(schedule)),
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
  const StageSizes& Sizes(std::int32_t stage) const {
    return sizes_[static_cast<std::size_t>(stage)];
  }

  Change Forward(const Op& op, bool has_recv) const {
    const StageSizes& own = Sizes(op.stage);
    const std::int64_t buffer = RecvBytes(op, has_recv);
    if (schedule_.mode == Mode::kForward) {
      return {own.activation_bytes - buffer, -own.activation_bytes};
    }
    return {(Recomputed(op) ? own.input_bytes : own.activation_bytes) - buffer, 0};
  }

  bool Recomputed(const Op& op) const {
    return !recomputed_.empty() &&
           recomputed_[static_cast<std::size_t>(op.stage) *
                           static_cast<std::size_t>(schedule_.shape.microbatches) +
                       static_cast<std::size_t>(op.microbatch)];
  }

  std::int64_t KeptInput(const Op& op) const {
    return Recomputed(op) ? Sizes(op.stage).input_bytes : 0;
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
  std::span<const StageSizes> sizes_;
  std::vector<bool> recomputed_;
  bool received_;
};

/// Full activation sets instead of bytes.
class SetChanges {
 public:
  explicit SetChanges(const Schedule& schedule)
      : forward_mode_(schedule.mode == Mode::kForward),
        microbatches_(static_cast<std::size_t>(schedule.shape.microbatches)),
        recomputed_(FindRecomputed(schedule)) {}

  Change Of(const Op& op, bool /*has_recv*/) const {
    switch (op.kind) {
      case OpKind::kForward:
        return {Recomputed(op) ? 0 : 1, forward_mode_ ? -1 : 0};
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
  bool Recomputed(const Op& op) const {
    return !recomputed_.empty() && recomputed_[static_cast<std::size_t>(op.stage) * microbatches_ +
                                               static_cast<std::size_t>(op.microbatch)];
  }

  bool forward_mode_;
  std::size_t microbatches_;
  std::vector<bool> recomputed_;
};

/// Whether a RECV of this rank stands before the F, B or I that consumes it: one bit per kind, by
/// stage and micro-batch of the receives still in their buffers.
class Buffers {
 public:
  Buffers(const Schedule& schedule, std::size_t rank, bool wanted)
      : microbatches_(static_cast<std::size_t>(schedule.shape.microbatches)) {
    if (!wanted) {
      return;
    }
    const std::vector<std::int32_t>& stages = schedule.placement[rank];
    local_.resize(static_cast<std::size_t>(schedule.shape.stages), 0);
    for (std::size_t i = 0; i < stages.size(); ++i) {
      local_[static_cast<std::size_t>(stages[i])] = i;
    }
    for (std::vector<bool>& table : full_) {
      table.resize(stages.size() * microbatches_, false);
    }
  }

  /// Notes a RECV; for other ops, whether one was noted.
  bool Visit(const Op& op) {
    if (local_.empty() || !TraitsOf(op.kind).has_microbatch) {
      return false;
    }
    const bool forward = op.kind == OpKind::kForward || op.kind == OpKind::kRecvForward;
    if (TraitsOf(op.kind).is_send || op.kind == OpKind::kBackwardWeight ||
        op.kind == OpKind::kRecompute) {
      return false;
    }
    std::vector<bool>& table = full_[forward ? 0 : 1];
    const std::size_t at = local_[static_cast<std::size_t>(op.stage)] * microbatches_ +
                           static_cast<std::size_t>(op.microbatch);
    if (TraitsOf(op.kind).is_recv) {
      table[at] = true;
      return false;
    }
    return table[at];
  }

 private:
  std::size_t microbatches_;
  std::vector<std::size_t> local_;
  std::array<std::vector<bool>, 2> full_;  ///< Of RECV_F, of RECV_B.
};

/// Calls `visit(index, op, level)` around every op of `rank` in order. The members of a cell share
/// the level at which all of them run.
template <typename Changes, typename Visit>
void WalkLevels(const Schedule& schedule, std::size_t rank, const Changes& changes,
                std::int64_t level, const Visit& visit) {
  const std::vector<Op>& program = schedule.programs[rank];
  Buffers buffers(schedule, rank, changes.HasRecvs());
  for (std::size_t begin = 0; begin < program.size();) {
    std::size_t end = begin + 1;
    while (program[end - 1].joined && end < program.size()) {
      ++end;
    }
    std::int64_t given_back = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const Change change = changes.Of(program[i], buffers.Visit(program[i]));
      level += change.at_start;
      given_back += change.at_end;
    }
    for (std::size_t i = begin; i < end; ++i) {
      visit(i, program[i], MemoryLevel{level, level + given_back});
    }
    level += given_back;
    begin = end;
  }
}

std::vector<std::int64_t> StaticBytes(const Schedule& schedule, std::span<const StageSizes> sizes) {
  std::vector<std::int64_t> bytes(schedule.programs.size(), 0);
  for (const StageSlots& slots : CountWeightSlots(schedule)) {
    const StageSizes& stage = sizes[static_cast<std::size_t>(slots.stage)];
    bytes[static_cast<std::size_t>(slots.rank)] +=
        slots.slots * stage.parameter_bytes + stage.optimizer_bytes;
  }
  return bytes;
}

}  // namespace

std::vector<RankMemory> PeakMemory(const Schedule& schedule, std::span<const StageSizes> sizes) {
  const std::vector<std::int64_t> static_bytes = StaticBytes(schedule, sizes);
  const ByteChanges changes(schedule, sizes);
  std::vector<RankMemory> memory;
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    RankMemory& peak = memory.emplace_back();
    peak.static_bytes = static_bytes[rank];
    peak.peak_bytes = static_bytes[rank];
    WalkLevels(schedule, rank, changes, static_bytes[rank],
               [&](std::size_t index, const Op&, MemoryLevel level) {
                 if (level.during > peak.peak_bytes || peak.peak_op < 0) {
                   peak.peak_bytes = std::max(peak.peak_bytes, level.during);
                   peak.peak_op = static_cast<std::int32_t>(index);
                 }
               });
  }
  return memory;
}

std::vector<MemoryLevel> MemoryLevels(const Schedule& schedule, std::span<const StageSizes> sizes,
                                      std::int32_t rank) {
  const auto index = static_cast<std::size_t>(rank);
  std::vector<MemoryLevel> levels;
  WalkLevels(schedule, index, ByteChanges(schedule, sizes), StaticBytes(schedule, sizes)[index],
             [&](std::size_t, const Op&, MemoryLevel level) { levels.push_back(level); });
  return levels;
}

std::vector<std::int32_t> PeakActivationSets(const Schedule& schedule) {
  std::vector<std::int32_t> peak(static_cast<std::size_t>(schedule.shape.stages), 0);
  const SetChanges changes(schedule);
  std::vector<std::int64_t> held(peak.size(), 0);
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    for (const std::int32_t stage : schedule.placement[rank]) {
      held[static_cast<std::size_t>(stage)] = 0;
    }
    const std::vector<Op>& program = schedule.programs[rank];
    std::size_t open = 0;  // First op of the cell whose members have not ended.
    for (std::size_t i = 0; i < program.size(); ++i) {
      const auto stage = static_cast<std::size_t>(program[i].stage);
      held[stage] += changes.Of(program[i], false).at_start;
      peak[stage] = std::max(peak[stage], static_cast<std::int32_t>(held[stage]));
      for (; !program[i].joined && open <= i; ++open) {
        held[static_cast<std::size_t>(program[open].stage)] +=
            changes.Of(program[open], false).at_end;
      }
    }
  }
  return peak;
}

std::vector<MemoryLevel> ActivationSetLevels(const Schedule& schedule, std::int32_t rank) {
  std::vector<MemoryLevel> levels;
  WalkLevels(schedule, static_cast<std::size_t>(rank), SetChanges(schedule), 0,
             [&](std::size_t, const Op&, MemoryLevel level) { levels.push_back(level); });
  return levels;
}

}  // namespace stagecraft
