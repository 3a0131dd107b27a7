#pragma once

#include <string>

#include "engine/model/model.h"
#include "engine/snapshot.h"

namespace stagecraft {

/// `snapshot` as one of `model`, of whose layers it is, though perhaps cut into other stages.
///
///   stage0.0 stage0.2 | stage1.0 stage1.1        two stages, four layers with weights
///       |        |          |        |           matched in order, by names and shapes
///   stage0.0 | stage1.0 | stage2.0 | stage3.0    four stages
///
/// Weights, running statistics, the optimizer's buffers and versions before the newest go with
/// their layers; the position and, where they were equal, the counts of updates stay. Warnings say
/// what could not be taken over. A snapshot that is cut alike comes back as it was.
///
/// An error if it is of other layers or of another type: names both cuts. `file` is what
/// diagnostics call the snapshot. O(bytes).
Result<Snapshot> Recut(Snapshot snapshot, const Model& model, ElementType type,
                       const std::string& file);

}  // namespace stagecraft
