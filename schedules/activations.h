#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// Bytes that one micro-batch, or the weights, of a stage take.
struct StageSizes {
  std::int64_t activation_bytes = 0;  ///< Kept from a full F, or an R, to the end of its backward.
  std::int64_t input_bytes = 0;       ///< Kept by an F that an R follows.
  std::int64_t output_bytes = 0;      ///< The boundary to the next stage: one SEND_F, and one
                                      ///< SEND_B of the next stage.
  std::int64_t released_by_backward_input = 0;  ///< Part of the set that I frees; W frees the rest.
  std::int64_t parameter_bytes = 0;             ///< Of one weight copy.
  std::int64_t optimizer_bytes = 0;  ///< Optimizer state and gradient buffer, once per rank.
};

/// Bytes around one op: while it runs, and after it.
struct MemoryLevel {
  std::int64_t during = 0;
  std::int64_t after = 0;
};

/// What one rank holds at most.
struct RankMemory {
  std::int64_t static_bytes = 0;  ///< Weight slots, optimizer state.
  std::int64_t peak_bytes = 0;    ///< With static_bytes.
  std::int32_t peak_op = -1;      ///< First op of the rank's program that reaches it; -1 if empty.
};

/// Per rank, op by op in program order: F takes a full set at its start, or only its input; R
/// takes the set; B gives all back at its end; I gives back a stated part and W the rest; a RECV
/// takes a boundary buffer that its consumer's start gives back. `sizes` has one entry per stage.
/// Requires `Verify(schedule)` empty.
Table<RankMemory> PeakMemory(const Schedule& schedule, TableView<const StageSizes> sizes);

/// Which forwards run again before their backwards: those of a stage and micro-batch with an R.
class RecomputedForwards {
 public:
  explicit RecomputedForwards(const Schedule& schedule);

  /// `op` is of such a stage and micro-batch.
  bool Has(const Op& op) const { return !pairs_.empty() && pairs_[op] != 0; }

 private:
  PairTable<char> pairs_;  ///< Empty if there is no R at all.
};

/// Level around every op of `rank`, static bytes included.
Table<MemoryLevel> MemoryLevels(const Schedule& schedule, TableView<const StageSizes> sizes,
                                std::int32_t rank);

/// Full activation sets that each stage holds at most on one rank.
Table<std::int32_t> PeakActivationSets(const Schedule& schedule);

/// Full activation sets of all stages of `rank` around each op: what the trace's counter shows.
Table<MemoryLevel> ActivationSetLevels(const Schedule& schedule, std::int32_t rank);

}  // namespace stagecraft
