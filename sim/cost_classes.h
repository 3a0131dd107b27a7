#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "schedules/activations.h"
#include "schedules/schedule.h"
#include "sim/replay.h"

namespace stagecraft {

/// Finds the cost classes of a schedule while it is compiled: few, since a class is a kind, a
/// stage and a rank. Part of `Compile`.
class CostClasses {
 public:
  /// Writes to `compiled.classes`, `class_ops`, `class_ranks` and `static_bytes`.
  CostClasses(const Schedule& schedule, std::span<const StageSizes> sizes,
              CompiledSchedule& compiled);

  /// Class of every op of `rank`: of a cell at its last op, the others have class 0; 0 for SENDs.
  void Assign(std::int32_t rank, std::vector<std::uint32_t>& classes);

  /// Of a SEND: one per kind and stage.
  std::uint32_t OfTransfer(const Op& send);

 private:
  struct Change {
    std::int64_t take = 0;
    std::int64_t give = 0;
  };
  struct CellKey {
    std::vector<Op> ops;  ///< With stage and kind only.
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

  const Schedule& schedule_;
  std::span<const StageSizes> sizes_;
  CompiledSchedule& compiled_;
  std::vector<std::int32_t> head_;  ///< Per stage and kind: latest class on the rank at hand.
  std::vector<std::int32_t> next_;  ///< Per class: another of the same stage, kind and rank.
  std::map<CellKey, std::int32_t> cells_;                  ///< Of the rank at hand.
  std::vector<std::vector<std::int32_t>> ranks_of_stage_;  ///< Filled when an A is seen.
};

}  // namespace stagecraft
