#pragma once

#include <cstdint>
#include <vector>

#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// The buffers that one rank needs for the weights of one stage.
struct StageSlots {
  std::int32_t rank = 0;
  std::int32_t stage = 0;
  std::int32_t slots = 1;  ///< Weight copies: versions and predictions alive at once, at most.
};

/// Slot of every op: which buffer it reads or writes.
///
/// A version or prediction lives from the op that writes it to its last reader; the newest version
/// always lives. Slots are given by linear scan. An S writes in place when it is the last reader
/// of its base; a P never does. The number of slots is the number of weight copies.
struct WeightSlots {
  Table<StageSlots> stages;    ///< By rank, then in placement order.
  OpTable<std::int32_t> slot;  ///< F, B, I, W, R read it; S, P write it; -1 for other kinds.
                               ///< Version 0 is in slot 0.
  OpTable<std::int32_t> base;  ///< Of S and P: the slot it reads; else -1.
};

/// Requires `Verify(schedule)` empty. O(ops * slots in use).
WeightSlots AssignWeightSlots(const Schedule& schedule);

/// Only the counts of `AssignWeightSlots`, without the per-op tables.
Table<StageSlots> CountWeightSlots(const Schedule& schedule);

/// Per stage: the most copies on any of the ranks that hold it.
Table<std::int32_t> WeightCopiesOfStages(const Table<StageSlots>& slots);

/// Weight copies of all stages of `rank` that are alive after each op of its program: what the
/// trace's counter shows. Requires `Verify(schedule)` empty.
Table<std::int32_t> WeightCopiesAfter(const Schedule& schedule, std::int32_t rank);

}  // namespace stagecraft
