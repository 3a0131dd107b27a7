#pragma once

#include <cstdint>
#include <vector>

#include "schedules/tables.h"

namespace stagecraft {

/// The stages of each rank, in chunk order.
using Placement = Table<Table<std::int32_t>>;

/// Stage r on rank r, for `stages` ranks: every straight pipeline.
Placement StraightPlacement(std::int32_t stages);

/// Stage s on rank s mod p: `chunks` rounds over the ranks, always in the same direction.
Placement LoopPlacement(std::int32_t ranks, std::int32_t chunks);

/// To the last rank and back, `chunks` sweeps: stages p - 1 and p are on the same rank. With 2 W
/// chunks it is that of Hanayo's W waves.
Placement ZigzagPlacement(std::int32_t ranks, std::int32_t chunks);

/// One sweep to the last rank and one back: stages r and 2p - 1 - r on rank r.
Placement VPlacement(std::int32_t ranks);

/// Two pipelines in opposite directions: stages r and p - 1 - r on rank r, so that each stage has
/// two replicas. Requires an even number of ranks.
Placement BidirectionalPlacement(std::int32_t ranks);

}  // namespace stagecraft
