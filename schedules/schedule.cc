#include "schedules/schedule.h"

#include <algorithm>
#include <unordered_map>

#include "schedules/tables.h"

namespace stagecraft {

bool operator==(const Schedule& a, const Schedule& b) {
  return a.shape == b.shape && a.mode == b.mode && a.placement == b.placement &&
         a.programs == b.programs;
}

Table<Table<std::int32_t>> RanksOfStages(const Schedule& schedule) {
  Table<Table<std::int32_t>> ranks(schedule.shape.stages);
  for (std::int32_t rank = 0; rank < schedule.placement.Count(); ++rank) {
    for (const std::int32_t stage : schedule.placement[rank]) {
      ranks[stage].push_back(rank);
    }
  }
  return ranks;
}

namespace {

template <typename Predicate>
bool AnyOp(const Schedule& schedule, Predicate predicate) {
  return std::any_of(schedule.programs.begin(), schedule.programs.end(),
                     [&](const Program& program) {
                       return std::any_of(program.begin(), program.end(), predicate);
                     });
}

}  // namespace

OpKinds KindsOf(const Schedule& schedule) {
  OpKinds kinds;
  for (const Program& program : schedule.programs) {
    for (const Op& op : program) {
      kinds.Add(op.kind);
    }
  }
  return kinds;
}

bool HasCommunication(const Schedule& schedule) {
  return AnyOp(schedule, [](const Op& op) { return IsCommunication(op.kind); });
}

bool HasTransfers(const Schedule& schedule) {
  std::unordered_map<std::int64_t, std::size_t> rank_of;  // By stage and micro-batch.
  const auto key_of = [](const Op& op, std::int32_t stage) {
    return (std::int64_t{stage} << 32) + op.microbatch;
  };

  const auto each_forward = [&](const auto& visit) {
    for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
      for (const Op& op : schedule.programs[rank]) {
        if (op.kind == OpKind::kForward) {
          visit(rank, op);
        }
      }
    }
  };
  each_forward([&](std::size_t rank, const Op& op) { rank_of[key_of(op, op.stage)] = rank; });

  bool any = false;
  each_forward([&](std::size_t rank, const Op& op) {
    const auto before = rank_of.find(key_of(op, op.stage - 1));
    any = any || (before != rank_of.end() && before->second != rank);
  });
  return any;
}

bool HasCells(const Schedule& schedule) {
  return AnyOp(schedule, [](const Op& op) { return op.joined; });
}

OpIds::OpIds(const Schedule& schedule) {
  begin_.reserve(schedule.programs.size() + 1);
  for (const Program& program : schedule.programs) {
    begin_.push_back(begin_.back() + program.Count());
  }
}

OpRef OpIds::At(std::int32_t id) const {
  const auto behind = std::upper_bound(begin_.begin(), begin_.end(), id);
  const auto rank = static_cast<std::int32_t>(behind - begin_.begin()) - 1;
  return {rank, id - Begin(rank)};
}

}  // namespace stagecraft
