#include "sim/cost_classes.h"

#include <algorithm>
#include <cstddef>

#include "sim/durations.h"
#include "sim/transfer_index.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kNone = -1;

std::int64_t HoldOf(const CostClasses& classes, const CostClass& cost_class, const Costs& costs,
                    const Topology& topology) {
  const auto begin = static_cast<std::size_t>(cost_class.begin);
  const std::span<const Op> ops(classes.ops.data() + begin,
                                static_cast<std::size_t>(cost_class.end) - begin);
  switch (cost_class.rule) {
    case CostClass::Rule::kNothing:
      return 0;
    case CostClass::Rule::kCell:
      return AtSpeed(CellCost(ops, costs), topology.SpeedOf(cost_class.rank)).count();
    case CostClass::Rule::kTransfer:
      return HoldTime(BytesOf(ops.front(), costs), topology).count();
    case CostClass::Rule::kSlowest:
      break;
  }
  Nanoseconds slowest{0};
  for (std::size_t i = 0; i < ops.size(); ++i) {
    slowest = std::max(slowest, AtSpeed(CellCost(ops.subspan(i, 1), costs),
                                        topology.SpeedOf(classes.ranks[begin + i])));
  }
  return slowest.count();
}

}  // namespace

std::vector<ClassCost> CostsOfClasses(const CostClasses& classes, const Costs& costs,
                                      const Topology& topology) {
  std::vector<ClassCost> result;
  result.reserve(classes.classes.size());
  for (const CostClass& cost_class : classes.classes) {
    const bool transfer = cost_class.rule == CostClass::Rule::kTransfer;
    result.push_back({HoldOf(classes, cost_class, costs, topology),
                      transfer ? topology.latency.count() : 0, cost_class.take, cost_class.give});
  }
  return result;
}

std::vector<std::int64_t> BytesOfClasses(const CostClasses& classes, const Costs& costs) {
  std::vector<std::int64_t> bytes;
  bytes.reserve(classes.classes.size());
  for (const CostClass& cost_class : classes.classes) {
    bytes.push_back(cost_class.rule == CostClass::Rule::kTransfer
                        ? BytesOf(classes.ops[static_cast<std::size_t>(cost_class.begin)], costs)
                        : 0);
  }
  return bytes;
}

ClassFinder::ClassFinder(const Schedule& schedule, std::span<const StageSizes> sizes)
    : schedule_(schedule),
      sizes_(sizes),
      head_(static_cast<std::size_t>(schedule.shape.stages) * kOpKinds, kNone) {
  Add(CostClass::Rule::kNothing, 0, {});
  found_.static_bytes.resize(schedule.programs.size(), 0);
  if (!sizes_.empty()) {
    const std::vector<RankMemory> memory = PeakMemory(schedule_, sizes_);
    for (std::size_t rank = 0; rank < memory.size(); ++rank) {
      found_.static_bytes[rank] = memory[rank].static_bytes;
    }
  }
}

void ClassFinder::Assign(std::int32_t rank, std::vector<std::uint32_t>& classes) {
  const auto index = static_cast<std::size_t>(rank);
  const std::vector<Op>& program = schedule_.programs[index];
  ForgetRank(rank);
  classes.assign(program.size(), kNoCost);
  std::vector<MemoryLevel> levels;
  if (!sizes_.empty()) {
    levels = MemoryLevels(schedule_, sizes_, rank);
  }
  std::int64_t level = found_.static_bytes[index];
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

std::int32_t& ClassFinder::Head(OpKind kind, std::int32_t stage) {
  return head_[static_cast<std::size_t>(stage) * kOpKinds + static_cast<std::size_t>(kind)];
}

/// Classes belong to one rank, except those of SENDs: the next rank finds none of its own.
void ClassFinder::ForgetRank(std::int32_t rank) {
  for (const std::int32_t stage : schedule_.placement[static_cast<std::size_t>(rank)]) {
    for (const OpTraits& traits : AllOpTraits()) {
      if (!traits.is_send) {
        Head(traits.kind, stage) = kNone;
      }
    }
  }
  cells_.clear();
}

std::int32_t ClassFinder::OfOp(const Op& op, std::int32_t rank, Change change) {
  if (IsRecv(op.kind) && sizes_.empty()) {
    return kNoCost;
  }
  std::int32_t& head = Head(op.kind, op.stage);
  for (std::int32_t found = head; found != kNone; found = next_[static_cast<std::size_t>(found)]) {
    const CostClass& candidate = found_.classes[static_cast<std::size_t>(found)];
    if (candidate.take == change.take && candidate.give == change.give) {
      return found;
    }
  }
  const CostClass::Rule rule = IsSend(op.kind)                 ? CostClass::Rule::kTransfer
                               : IsRecv(op.kind)               ? CostClass::Rule::kNothing
                               : op.kind == OpKind::kAllReduce ? CostClass::Rule::kSlowest
                                                               : CostClass::Rule::kCell;
  const std::int32_t added = Add(rule, rank, change);
  AddMembers(op, rank);
  next_[static_cast<std::size_t>(added)] = head;
  head = added;
  return added;
}

std::int32_t ClassFinder::OfCell(std::span<const Op> cell, std::int32_t rank, Change change) {
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

std::int32_t ClassFinder::Add(CostClass::Rule rule, std::int32_t rank, Change change) {
  const auto begin = static_cast<std::int32_t>(found_.ops.size());
  found_.classes.push_back({rule, rank, begin, begin, change.take, change.give});
  next_.push_back(kNone);
  return static_cast<std::int32_t>(found_.classes.size()) - 1;
}

/// To the class added last.
void ClassFinder::AddMember(const Op& op, std::int32_t rank) {
  found_.ops.push_back({.kind = op.kind, .stage = op.stage});
  found_.ranks.push_back(rank);
  found_.classes.back().end = static_cast<std::int32_t>(found_.ops.size());
}

void ClassFinder::AddMembers(const Op& op, std::int32_t rank) {
  if (op.kind != OpKind::kAllReduce) {
    AddMember(op, rank);
    return;
  }
  if (ranks_of_stage_.empty()) {
    ranks_of_stage_ = RanksOfStages(schedule_);
  }
  for (const std::int32_t member : ranks_of_stage_[static_cast<std::size_t>(op.stage)]) {
    AddMember(op, member);
  }
}

}  // namespace stagecraft
