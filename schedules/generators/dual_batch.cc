#include "schedules/generators/dual_batch.h"

#include "schedules/schedule.h"

namespace stagecraft {
namespace {

constexpr std::size_t kFirst = 0;
constexpr std::size_t kSecond = 1;

/// Phase 6: from the middle on backwards are split, and their W wait.
void WriteTurn(BatchWriter& batch, std::int32_t rounds) {
  bool split = false;
  const auto backward = [&](std::size_t chunk) {
    if (split) {
      batch.BackwardInput(chunk);
    } else {
      batch.Backward(chunk);
    }
  };

  // The middle of an odd number of rounds lies between the two backwards of a round.
  const bool between = rounds % 2 == 1;
  for (std::int32_t k = 0; k < rounds; ++k) {
    split |= k == rounds / 2 && !between;
    backward(kSecond);
    split |= k == rounds / 2 && between;
    backward(kFirst);
  }
}

}  // namespace

Program DualBatch(const DualRank& rank, Cells cells) {
  BatchWriter batch({rank.first, rank.second});
  const bool joined = cells == Cells::kJoined;
  const std::int32_t beyond = rank.span - rank.distance - 1;  // Ranks up to the turning point.
  const std::int32_t near = rank.distance + 1;

  // Phases 1 and 2: micro-batches of the second chunk have a longer way to this rank.
  for (std::int32_t k = 0; k < 2 * beyond; ++k) {
    batch.Forward(kFirst);
  }
  for (std::int32_t k = 0; k < near; ++k) {
    batch.Forward(kFirst);
    batch.Forward(kSecond);
  }

  // Phase 3: the second chunk's first gradients come back; a W fills the wait for its next forward.
  for (std::int32_t k = 0; k < beyond; ++k) {
    batch.BackwardInput(kSecond);
    batch.OldestBackwardWeight();
    batch.Forward(kSecond);
  }

  // Phase 4, the steady one: the communication inside an op hides behind the other chunk's op.
  for (std::int32_t k = 0; k < rank.steady; ++k) {
    batch.ForwardAndBackward(kFirst, kSecond, joined && (k > 0 || beyond > 0));
    batch.ForwardAndBackward(kSecond, kFirst, joined);
  }

  // Phases 5 and 6: the first chunk has no forwards left to pair, and then neither chunk has.
  for (std::int32_t k = 0; k < beyond; ++k) {
    batch.Backward(kSecond);
    batch.ForwardAndBackward(kSecond, kFirst, joined);
  }
  WriteTurn(batch, near);

  // Phases 7 and 8: the W that wait fill the gaps between the last gradients, then end the batch.
  for (std::int32_t k = 0; k < beyond; ++k) {
    batch.OldestBackwardWeight();
    batch.BackwardInput(kFirst);
  }
  while (batch.HasPendingWeights()) {
    batch.OldestBackwardWeight();
  }
  return batch.Take();
}

}  // namespace stagecraft
