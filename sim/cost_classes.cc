#include "sim/cost_classes.h"

#include <utility>

#include "sim/transfer_index.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kNone = -1;

}  // namespace

CostClasses::CostClasses(const Schedule& schedule, std::span<const StageSizes> sizes,
                         CompiledSchedule& compiled)
    : schedule_(schedule),
      sizes_(sizes),
      compiled_(compiled),
      head_(static_cast<std::size_t>(schedule.shape.stages) * kOpKinds, kNone) {
  Add(CostClass::Rule::kNothing, 0, {});
  compiled_.static_bytes.resize(schedule.programs.size(), 0);
  if (!sizes_.empty()) {
    const std::vector<RankMemory> memory = PeakMemory(schedule_, sizes_);
    for (std::size_t rank = 0; rank < memory.size(); ++rank) {
      compiled_.static_bytes[rank] = memory[rank].static_bytes;
    }
  }
}

std::uint32_t CostClasses::OfTransfer(const Op& send) {
  std::int32_t& head = Head(send.kind, send.stage);
  if (head == kNone) {
    head = Add(CostClass::Rule::kTransfer, 0, {});
    AddMember(send, 0);
  }
  return static_cast<std::uint32_t>(head);
}

std::int32_t& CostClasses::Head(OpKind kind, std::int32_t stage) {
  return head_[static_cast<std::size_t>(stage) * kOpKinds + static_cast<std::size_t>(kind)];
}

/// Classes belong to one rank: the next one finds none of its kinds and stages.
void CostClasses::ForgetRank(std::int32_t rank) {
  for (const std::int32_t stage : schedule_.placement[static_cast<std::size_t>(rank)]) {
    for (const OpTraits& traits : AllOpTraits()) {
      if (!traits.is_send) {
        Head(traits.kind, stage) = kNone;
      }
    }
  }
  cells_.clear();
}

void CostClasses::Assign(std::int32_t rank, std::vector<std::uint32_t>& classes) {
  const auto index = static_cast<std::size_t>(rank);
  ForgetRank(rank);
  classes.assign(schedule_.programs[index].size(), 0);
  std::vector<MemoryLevel> levels;
  if (!sizes_.empty()) {
    levels = MemoryLevels(schedule_, sizes_, rank);
  }
  std::int64_t level = compiled_.static_bytes[index];
  const std::vector<Op>& program = schedule_.programs[index];
  for (std::size_t begin = 0; begin < program.size();) {
    std::size_t end = begin + 1;
    while (program[end - 1].joined && end < program.size()) {
      ++end;
    }
    Change change;
    if (!levels.empty()) {
      change = {levels[begin].during - level, levels[begin].after - levels[begin].during};
      level = levels[begin].after;
    }
    classes[end - 1] = static_cast<std::uint32_t>(
        end - begin == 1 ? OfOp(program[begin], rank, change)
                         : OfCell({program.data() + begin, end - begin}, rank, change));
    begin = end;
  }
}

std::int32_t CostClasses::OfOp(const Op& op, std::int32_t rank, Change change) {
  if (IsSend(op.kind) || (IsRecv(op.kind) && sizes_.empty())) {
    return 0;
  }
  std::int32_t& head = Head(op.kind, op.stage);
  for (std::int32_t found = head; found != kNone; found = next_[static_cast<std::size_t>(found)]) {
    const CostClass& candidate = compiled_.classes[static_cast<std::size_t>(found)];
    if (candidate.take == change.take && candidate.give == change.give) {
      return found;
    }
  }
  if (op.kind == OpKind::kAllReduce) {
    if (ranks_of_stage_.empty()) {
      ranks_of_stage_ = RanksOfStages(schedule_);
    }
    const std::int32_t added = Add(CostClass::Rule::kSlowest, rank, change);
    for (const std::int32_t member : ranks_of_stage_[static_cast<std::size_t>(op.stage)]) {
      AddMember(op, member);
    }
    return head = added;
  }
  const std::int32_t added =
      Add(IsRecv(op.kind) ? CostClass::Rule::kNothing : CostClass::Rule::kCell, rank, change);
  AddMember(op, rank);
  next_[static_cast<std::size_t>(added)] = head;
  return head = added;
}

std::int32_t CostClasses::OfCell(std::span<const Op> cell, std::int32_t rank, Change change) {
  CellKey key{{}, change.take, change.give};
  for (const Op& op : cell) {
    key.ops.push_back({.kind = op.kind, .stage = op.stage});
  }
  const auto [found, inserted] = cells_.try_emplace(std::move(key), 0);
  if (inserted) {
    found->second = Add(CostClass::Rule::kCell, rank, change);
    for (const Op& op : cell) {
      AddMember(op, rank);
    }
  }
  return found->second;
}

std::int32_t CostClasses::Add(CostClass::Rule rule, std::int32_t rank, Change change) {
  const auto begin = static_cast<std::int32_t>(compiled_.class_ops.size());
  compiled_.classes.push_back({rule, rank, begin, begin, change.take, change.give});
  next_.push_back(kNone);
  return static_cast<std::int32_t>(compiled_.classes.size()) - 1;
}

/// To the class added last.
void CostClasses::AddMember(const Op& op, std::int32_t rank) {
  compiled_.class_ops.push_back({.kind = op.kind, .stage = op.stage});
  compiled_.class_ranks.push_back(rank);
  compiled_.classes.back().end = static_cast<std::int32_t>(compiled_.class_ops.size());
}

}  // namespace stagecraft
