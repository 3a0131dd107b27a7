#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "schedules/op.h"
#include "schedules/tables.h"

namespace stagecraft {

/// Sizes of a schedule: each at least 1.
struct Shape {
  std::int32_t ranks = 1;
  std::int32_t stages = 1;
  std::int32_t microbatches = 1;

  friend bool operator==(const Shape&, const Shape&) = default;
};

enum class Mode : std::uint8_t {
  kTraining,  ///< Every (stage, micro-batch) has a forward and a backward.
  kForward,   ///< Evaluation: forwards only.
};

/// What one rank does, in order.
using Program = Table<Op>;

/// What every pipeline rank does, in which order, with which version of its weights.
///
/// A value: generators write it, the verifier judges it, the simulator times it, the engine
/// executes it. `placement[rank]` lists the stages of a rank in chunk order; a stage that stands
/// on several ranks is replicated. `programs[rank]` is run in order. Both have `shape.ranks`
/// entries. `name` and `source` are for display only and take no part in comparison.
struct Schedule {
  Shape shape;
  Mode mode = Mode::kTraining;
  Table<Table<std::int32_t>> placement;
  Table<Program> programs;
  std::string name;
  std::string source;

  const Op& At(OpRef ref) const { return programs[ref.rank][ref.index]; }
};

/// Same shape, mode, placement and programs.
bool operator==(const Schedule& a, const Schedule& b);

/// The ranks that hold each stage, ascending. Requires stages in range.
Table<Table<std::int32_t>> RanksOfStages(const Schedule& schedule);

/// The kinds of ops that stand in its programs.
OpKinds KindsOf(const Schedule& schedule);

/// True if any SEND or RECV is present.
bool HasCommunication(const Schedule& schedule);

/// True if any rank has to send anything to another: a forward is not where that of the stage
/// before is.
bool HasTransfers(const Schedule& schedule);

/// True if any cell of joined ops is present.
bool HasCells(const Schedule& schedule);

/// Numbers the ops of all ranks consecutively, rank by rank: the index of an op in a timeline.
class OpIds {
 public:
  OpIds() = default;
  explicit OpIds(const Schedule& schedule);
  std::int32_t Of(OpRef ref) const { return begin_[ref.rank] + ref.index; }
  /// The id of the first op of `rank`; of the number of ranks: what `Size` is.
  std::int32_t Begin(std::int32_t rank) const { return begin_[rank]; }
  std::int32_t Size() const { return begin_.back(); }
  OpRef At(std::int32_t id) const;  ///< O(log ranks).

 private:
  Table<std::int32_t> begin_ = {0};  ///< One entry per rank and the total behind.
};

}  // namespace stagecraft
