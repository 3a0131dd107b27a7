#include <algorithm>

#include "schedules/generators.h"
#include "schedules/generators/batch_writer.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// One rank, for at least 2p - 1 micro-batches; what is beyond the batch is not written.
Program ProgramOf(std::int32_t rank, std::int32_t p, std::int32_t m) {
  constexpr std::size_t kDown = 0;
  constexpr std::size_t kUp = 1;
  BatchWriter batch({{rank, 0, m}, {2 * p - 1 - rank, 0, m}});

  const auto backward = [&](std::size_t chunk) {
    batch.BackwardInput(chunk);
    batch.BackwardWeight(chunk);
  };

  const std::int32_t total = std::max(2 * p - 1, m);
  std::int32_t down = 0;  // Forwards so far.
  std::int32_t up = 0;

  // Down until the first micro-batch comes back up the V, then one on its way up for each one down.
  for (; down < 2 * (p - rank) - 1; ++down) {
    batch.Forward(kDown);
  }
  for (; up < rank; ++up, ++down) {
    batch.Forward(kUp);
    batch.Forward(kDown);
  }

  // Gradients start where the V ends: until they reach the other chunk, this one alone has any.
  for (; up < p; ++up) {
    batch.Forward(kUp);
    backward(kUp);
  }

  // Steady: with F = I = W no rank waits. The way down is ahead, so that its forwards end first.
  for (; up < total; ++up, ++down) {
    if (down < total) {
      batch.Forward(kDown);
    }
    backward(kDown);
    batch.Forward(kUp);
    backward(kUp);
  }

  // Only backwards are left. Ranks wait for an I and never for a W: 2r of the W come last.
  for (std::int32_t k = 0; k < rank; ++k) {
    batch.BackwardInput(kDown);
    batch.BackwardInput(kUp);
  }
  for (std::int32_t k = rank; k < p; ++k) {
    batch.BackwardInput(kDown);
    batch.BackwardWeight(kDown);
  }

  for (const std::size_t chunk : {kUp, kDown}) {
    while (batch.HasPendingWeights(chunk)) {
      batch.BackwardWeight(chunk);
    }
  }
  return batch.Take();
}

/// Zero bubble in the memory of 1F1B: the pipeline turns at the last rank, so that the first and
/// the last stage share a rank and each gradient comes back as early as on the last rank.
///
///   -p 2 -m 4
///   rank 0 | 0F0 0F1 0F2 3F0 3I0 3W0 3F1 3I1 3W1 0F3 0I0 0W0 3F2 3I2 3W2 0I1 0W1 3F3 3I3 ...
///   rank 1 | .   1F0 2F0 1F1 2F1 2I0 2W0 1F2 1I0 1W0 2F2 2I1 2W1 1F3 1I1 1W1 2F3 2I2 2W2 ...
///
/// Idle time of a rank within its own window, F = I = W and no transfers: 0, if m is at least
/// 2p - 1. Weight copies: 1. Live activations: 2p chunks on every rank, which is p of its shares,
/// if a W frees all. Staleness: 0. Source: Qi et al., "Pipeline Parallelism with Controllable
/// Memory", NeurIPS 2024, and the zero-bubble authors' ZB-V.
Schedule ZeroBubbleV(const GeneratorOptions& options) {
  return RepeatBatch(options, VPlacement(options.ranks), [&](std::int32_t rank) {
    return ProgramOf(rank, options.ranks, options.microbatches);
  });
}

Bounds ZeroBubbleVBounds(const GeneratorOptions& options) {
  return FlushedBounds(
      2 * options.ranks,
      Table<std::int32_t>(options.ranks, 2 * std::min(options.ranks, options.microbatches)));
}

}  // namespace

const Generator kZeroBubbleV{
    .name = "zb-v",
    .make = ZeroBubbleV,
    .summary = "no bubble in the memory of 1F1B, two stages per rank in a V",
    .bounded = "1 weight copy, D activation sets (2D chunks), staleness 0",
    .bounds = ZeroBubbleVBounds,
    .source = "Qi et al., NeurIPS 2024",
    .takes = 0,
    .flushes = true,
    .whole_batches = false};

}  // namespace stagecraft
