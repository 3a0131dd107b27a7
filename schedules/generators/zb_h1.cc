#include <algorithm>

#include "schedules/generators.h"
#include "schedules/generators/batch_writer.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// 1F1B with its backward split: I goes up the pipeline at once, and the W that nobody waits for
/// fills the bubble at the end. Rank r lets r of them wait. Called ZB1P in torch.
///
///   -p 3 -m 5
///   rank 0 | F0 F1 F2 .  .  I0 W0 F3 I1 W1 F4 I2 W2 I3 W3 I4 W4
///   rank 1 | .  F0 F1 .  I0 F2 I1 W0 F3 I2 W1 F4 I3 W2 I4 W3 W4
///   rank 2 | .  .  F0 I0 F1 I1 F2 I2 W0 F3 I3 W1 F4 I4 W2 W3 W4
///
/// Idle time of a rank, equal stages and no transfers: (p - 1)(F + I - W) if W is at most F and I.
/// Weight copies: 1. Live activations: min(p, m) on every rank, if a W frees all. Staleness: 0.
/// Source: Qi et al., "Zero Bubble Pipeline Parallelism", ICLR 2024, section 2.1.
Schedule ZeroBubbleH1(const GeneratorOptions& options) {
  const std::int32_t m = options.microbatches;
  return RepeatBatch(options, StraightPlacement(options.ranks), [&](std::int32_t rank) {
    BatchWriter batch({{rank, 0, m}});

    const std::int32_t warmup = std::min(options.ranks - 1 - rank, m);
    for (std::int32_t k = 0; k < warmup; ++k) {
      batch.Forward(0);
    }

    // Rank r leaves r of its W for the bubble that 1F1B has at the end.
    for (std::int32_t k = 0; k < m; ++k) {
      batch.Forward(0);
      batch.BackwardInput(0);
      if (k >= rank) {
        batch.BackwardWeight(0);
      }
    }

    while (batch.HasPendingWeights()) {
      batch.BackwardWeight(0);
    }
    return batch.Take();
  });
}

Bounds ZeroBubbleH1Bounds(const GeneratorOptions& options) {
  return FlushedBounds(
      options.ranks,
      Table<std::int32_t>(options.ranks, std::min(options.ranks, options.microbatches)));
}

}  // namespace

const Generator kZeroBubbleH1{
    .name = "zb-h1",
    .make = ZeroBubbleH1,
    .summary = "1F1B with a split backward: W fills the bubble at the end",
    .bounded = "1 weight copy, D activation sets, staleness 0",
    .bounds = ZeroBubbleH1Bounds,
    .source = "Qi et al., ICLR 2024",
    .takes = 0,
    .flushes = true,
    .whole_batches = false};

}  // namespace stagecraft
