#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "schedules/activations.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/topology.h"
#include "traces/costs.h"

namespace stagecraft {

/// What steps of one kind, stage and rank have in common: all that a schedule must know of costs.
struct CostClass {
  enum class Rule : std::uint8_t {
    kNothing,   ///< Takes no time.
    kCell,      ///< One op, or all members of a cell.
    kSlowest,   ///< An all-reduce: the slowest of its members.
    kTransfer,  ///< One SEND.
  };
  Rule rule = Rule::kNothing;
  std::int32_t rank = 0;   ///< Whose speed counts, for kCell.
  std::int32_t begin = 0;  ///< Range of `CostClasses::ops`.
  std::int32_t end = 0;
  std::int64_t take = 0;  ///< Bytes that the rank's memory grows by at the start.
  std::int64_t give = 0;  ///< Bytes that it grows by at the end: 0 or less.
};

/// The cost classes of one schedule: few, whatever its length.
struct CostClasses {
  Table<CostClass> classes;          ///< [0] takes no time.
  Program ops;                       ///< Of cells all members; SENDs; an A per member rank.
  Table<std::int32_t> ranks;         ///< Of each of `ops`.
  Table<std::int64_t> static_bytes;  ///< Per rank: memory before its first op.

  TableView<const Op> OpsOf(const CostClass& one) const {
    return TableView<const Op>(ops).Between(one.begin, one.end);
  }
  TableView<const std::int32_t> RanksOf(const CostClass& one) const {
    return TableView<const std::int32_t>(ranks).Between(one.begin, one.end);
  }
};
inline constexpr std::uint32_t kNoCost = 0;  ///< The class that takes no time.

/// Durations of one class under some costs.
struct ClassCost {
  std::int64_t hold = 0;    ///< The step keeps its lane so long, in nanoseconds.
  std::int64_t flight = 0;  ///< Its result is there so much later: the latency of a transfer.
  std::int64_t take = 0;
  std::int64_t give = 0;
};

/// Per class. Requires `CheckCosts` empty.
Table<ClassCost> CostsOfClasses(const CostClasses& classes, const Costs& costs,
                                const Topology& topology);

/// Bytes that the transfers of each class carry; 0 for other classes.
Table<std::int64_t> BytesOfClasses(const CostClasses& classes, const Costs& costs);

/// Finds the classes, rank by rank.
class ClassFinder {
 public:
  /// `sizes` may be empty: then nothing is known of memory.
  ClassFinder(const Schedule& schedule, TableView<const StageSizes> sizes);

  /// Class of every op of `rank`: of a cell at its last op, the others have `kNoCost`, as have
  /// RECVs if nothing is known of memory.
  void Assign(std::int32_t rank, Table<std::uint32_t>& classes);

  CostClasses Take() { return std::move(found_); }

 private:
  struct Change {
    std::int64_t take = 0;
    std::int64_t give = 0;
  };
  struct CellKey {
    Program ops;  ///< With kind and stage only.
    std::int64_t take = 0;
    std::int64_t give = 0;
    friend auto operator<=>(const CellKey&, const CellKey&) = default;
  };

  std::int32_t& Head(OpKind kind, std::int32_t stage);
  void ForgetRank(std::int32_t rank);
  std::int32_t OfOp(const Op& op, std::int32_t rank, Change change);
  std::int32_t OfCell(std::span<const Op> cell, std::int32_t rank, Change change);
  std::int32_t Add(CostClass::Rule rule, std::int32_t rank, Change change);
  void AddMember(const Op& op, std::int32_t rank);
  void AddMembers(const Op& op, std::int32_t rank);

  const Schedule& schedule_;
  TableView<const StageSizes> sizes_;
  CostClasses found_;
  Table<KindTable<std::int32_t>> head_;  ///< Per stage and kind: latest class on the rank at hand.
  Table<std::int32_t> next_;             ///< Per class: another of the same stage, kind and rank.
  std::map<CellKey, std::int32_t> cells_;      ///< Of the rank at hand.
  Table<Table<std::int32_t>> ranks_of_stage_;  ///< Filled when an A is seen.
};

}  // namespace stagecraft
