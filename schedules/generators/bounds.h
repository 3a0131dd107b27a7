#pragma once

#include <cstdint>
#include <vector>

#include "schedules/tables.h"

namespace stagecraft {

/// What a generated schedule never exceeds: the statement that `stagecraft schedules` prints, for
/// given options. Long runs reach it, unless the generator says otherwise.
struct Bounds {
  Table<std::int32_t> weight_copies;  ///< Per stage, on each rank that holds it.
  Table<std::int32_t> staleness;      ///< Per stage, over all micro-batches.

  /// Per rank, all its stages together: sets of one micro-batch on one stage. Empty if they are
  /// limited in bytes.
  Table<std::int32_t> activation_sets;

  /// Per stage: the nominal staleness, exactly, of every update. Empty if nothing is stated.
  Table<std::int32_t> nominal_staleness{};
};

/// Of a schedule that flushes after each batch: one copy of each stage, staleness 0.
Bounds FlushedBounds(std::int32_t stages, Table<std::int32_t> activation_sets);

/// The same on a straight pipeline, on which stage r runs min(`warmup[r]`, m) forwards ahead.
Bounds FlushedBounds(const Table<std::int32_t>& warmup, std::int32_t microbatches);

}  // namespace stagecraft
