#include "sim/cost_classes.h"

#include <algorithm>
#include <cstddef>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/durations.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kNone = -1;

std::int64_t HoldOf(const CostClasses& classes, const CostClass& cost_class, const Costs& costs,
                    const Topology& topology) {
  const TableView<const Op> ops = classes.OpsOf(cost_class);
  const TableView<const std::int32_t> ranks = classes.RanksOf(cost_class);
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
  for (std::int32_t i = 0; i < ops.Count(); ++i) {
    const Nanoseconds cost = CellCost({&ops[i], 1}, costs);
    slowest = std::max(slowest, AtSpeed(cost, topology.SpeedOf(ranks[i])));
  }
  return slowest.count();
}

}  // namespace

Table<ClassCost> CostsOfClasses(const CostClasses& classes, const Costs& costs,
                                const Topology& topology) {
  Table<ClassCost> result;
  result.reserve(classes.classes.size());
  for (const CostClass& cost_class : classes.classes) {
    const bool transfer = cost_class.rule == CostClass::Rule::kTransfer;
    result.push_back({HoldOf(classes, cost_class, costs, topology),
                      transfer ? topology.latency.count() : 0, cost_class.take, cost_class.give});
  }
  return result;
}

Table<std::int64_t> BytesOfClasses(const CostClasses& classes, const Costs& costs) {
  Table<std::int64_t> bytes;
  bytes.reserve(classes.classes.size());
  for (const CostClass& cost_class : classes.classes) {
    bytes.push_back(cost_class.rule == CostClass::Rule::kTransfer
                        ? BytesOf(classes.ops[cost_class.begin], costs)
                        : 0);
  }
  return bytes;
}

ClassFinder::ClassFinder(const Schedule& schedule, TableView<const StageSizes> sizes)
    : schedule_(schedule), sizes_(sizes), head_(schedule.shape.stages) {
  for (KindTable<std::int32_t>& of_stage : head_) {
    of_stage.fill(kNone);
  }
  Add(CostClass::Rule::kNothing, 0, {});
  found_.static_bytes.resize(schedule.programs.size(), 0);
  if (!sizes_.empty()) {
    const Table<RankMemory> memory = PeakMemory(schedule_, sizes_);
    for (std::int32_t rank = 0; rank < memory.Count(); ++rank) {
      found_.static_bytes[rank] = memory[rank].static_bytes;
    }
  }
}

void ClassFinder::Assign(std::int32_t rank, Table<std::uint32_t>& classes) {
  const Program& program = schedule_.programs[rank];
  ForgetRank(rank);
  classes.assign(program.size(), kNoCost);
  Table<MemoryLevel> levels;
  if (!sizes_.empty()) {
    levels = MemoryLevels(schedule_, sizes_, rank);
  }
  std::int64_t level = found_.static_bytes[rank];

  // Every cell, or op of its own, and what it does to memory.
  std::int32_t end = 0;
  for (std::int32_t begin = 0; begin < program.Count(); begin = end) {
    end = CellEnd(program, begin);
    Change change;
    if (!levels.empty()) {
      change = {levels[begin].during - level, levels[begin].after - levels[begin].during};
      level = levels[begin].after;
    }

    classes[end - 1] = static_cast<std::uint32_t>(
        end - begin == 1 ? OfOp(program[begin], rank, change)
                         : OfCell(TableView<const Op>(program).Between(begin, end), rank, change));
  }
}

std::int32_t& ClassFinder::Head(OpKind kind, std::int32_t stage) {
  return head_[stage][kind];
}

/// Classes belong to one rank, except those of SENDs: the next rank finds none of its own.
void ClassFinder::ForgetRank(std::int32_t rank) {
  for (const std::int32_t stage : schedule_.placement[rank]) {
    for (const OpTraits& traits : AllOpTraits()) {
      if (!traits.is_send) {
        Head(traits.kind, stage) = kNone;
      }
    }
  }
  cells_.clear();
}

std::int32_t ClassFinder::OfOp(const Op& op, std::int32_t rank, Change change) {
  if (TraitsOf(op.kind).is_recv && sizes_.empty()) {
    return kNoCost;
  }
  std::int32_t& head = Head(op.kind, op.stage);
  for (std::int32_t found = head; found != kNone; found = next_[found]) {
    const CostClass& candidate = found_.classes[found];
    if (candidate.take == change.take && candidate.give == change.give) {
      return found;
    }
  }

  const CostClass::Rule rule = TraitsOf(op.kind).is_send       ? CostClass::Rule::kTransfer
                               : TraitsOf(op.kind).is_recv     ? CostClass::Rule::kNothing
                               : op.kind == OpKind::kAllReduce ? CostClass::Rule::kSlowest
                                                               : CostClass::Rule::kCell;
  const std::int32_t added = Add(rule, rank, change);
  AddMembers(op, rank);
  next_[added] = head;
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
  const std::int32_t begin = found_.ops.Count();
  found_.classes.push_back({rule, rank, begin, begin, change.take, change.give});
  next_.push_back(kNone);
  return found_.classes.Count() - 1;
}

/// To the class added last.
void ClassFinder::AddMember(const Op& op, std::int32_t rank) {
  found_.ops.push_back({.kind = op.kind, .stage = op.stage});
  found_.ranks.push_back(rank);
  found_.classes.back().end = found_.ops.Count();
}

void ClassFinder::AddMembers(const Op& op, std::int32_t rank) {
  if (op.kind != OpKind::kAllReduce) {
    AddMember(op, rank);
    return;
  }
  if (ranks_of_stage_.empty()) {
    ranks_of_stage_ = RanksOfStages(schedule_);
  }
  for (const std::int32_t member : ranks_of_stage_[op.stage]) {
    AddMember(op, member);
  }
}

}  // namespace stagecraft
