#include "schedules/placements.h"

namespace stagecraft {
namespace {

/// `stage(rank, chunk)` for all of them.
template <typename Stage>
Placement Place(std::int32_t ranks, std::int32_t chunks, Stage stage) {
  Placement placement(ranks);
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    for (std::int32_t chunk = 0; chunk < chunks; ++chunk) {
      placement[rank].push_back(stage(rank, chunk));
    }
  }
  return placement;
}

}  // namespace

Placement StraightPlacement(std::int32_t stages) {
  return LoopPlacement(stages, 1);
}

Placement LoopPlacement(std::int32_t ranks, std::int32_t chunks) {
  return Place(ranks, chunks,
               [&](std::int32_t rank, std::int32_t chunk) { return chunk * ranks + rank; });
}

Placement ZigzagPlacement(std::int32_t ranks, std::int32_t chunks) {
  return Place(ranks, chunks, [&](std::int32_t rank, std::int32_t chunk) {
    return chunk * ranks + (chunk % 2 == 0 ? rank : ranks - 1 - rank);
  });
}

Placement VPlacement(std::int32_t ranks) {
  return ZigzagPlacement(ranks, 2);
}

Placement BidirectionalPlacement(std::int32_t ranks) {
  return Place(ranks, 2, [&](std::int32_t rank, std::int32_t chunk) {
    return chunk == 0 ? rank : ranks - 1 - rank;
  });
}

}  // namespace stagecraft
