#include <algorithm>

#include "schedules/generators.h"
#include "schedules/generators/batch_writer.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Zero bubble for twice the activations: enough forwards at the start to keep each rank busy until
/// the first gradient is there, and as many W left for the end. Rank r lets 2r of them wait.
///
///   -p 3 -m 6
///   rank 0 | F0 F1 F2 F3 F4 I0 W0 F5 I1 W1 I2 W2 I3 W3 I4 W4 I5 W5 .  .
///   rank 1 | .  F0 F1 F2 I0 F3 I1 F4 I2 W0 F5 I3 W1 I4 W2 I5 W3 W4 W5 .
///   rank 2 | .  .  F0 I0 F1 I1 F2 I2 F3 I3 F4 I4 W0 F5 I5 W1 W2 W3 W4 W5
///
/// Idle time of a rank within its own window, F = I = W and no transfers: 0, if m is at least
/// 2p - 1; the windows of the ranks are shifted by F. Weight copies: 1. Live activations:
/// min(2p - 1, m) on every rank, if a W frees all. Staleness: 0.
/// Source: Qi et al., "Zero Bubble Pipeline Parallelism", ICLR 2024, section 2.2.
Schedule ZeroBubbleH2(const GeneratorOptions& options) {
  const std::int32_t m = options.microbatches;
  return RepeatBatch(options, StraightPlacement(options.ranks), [&](std::int32_t rank) {
    BatchWriter batch({{rank, 0, m}});

    // As many forwards as there are ops on the first one's way to the last rank and back.
    const std::int32_t warmup = std::min(2 * (options.ranks - 1 - rank) + 1, m);
    for (std::int32_t k = 0; k < warmup; ++k) {
      batch.Forward(0);
    }

    for (std::int32_t k = 0; k < m; ++k) {
      batch.BackwardInput(0);
      if (k >= 2 * rank) {
        batch.BackwardWeight(0);
      }
      batch.Forward(0);
    }

    while (batch.HasPendingWeights()) {
      batch.BackwardWeight(0);
    }
    return batch.Take();
  });
}

Bounds ZeroBubbleH2Bounds(const GeneratorOptions& options) {
  return FlushedBounds(
      options.ranks,
      Table<std::int32_t>(options.ranks, std::min(2 * options.ranks - 1, options.microbatches)));
}

}  // namespace

const Generator kZeroBubbleH2{.name = "zb-h2",
                              .make = ZeroBubbleH2,
                              .summary = "no bubble for twice the activations",
                              .bounded = "1 weight copy, 2D - 1 activation sets, staleness 0",
                              .bounds = ZeroBubbleH2Bounds,
                              .source = "Qi et al., ICLR 2024",
                              .takes = 0,
                              .flushes = true,
                              .whole_batches = false};

}  // namespace stagecraft
