#include <algorithm>
#include <cstddef>
#include <vector>

#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Forwards of each rank before its first backward.
Table<std::int32_t> WarmupOf(const GeneratorOptions& options) {
  const std::int32_t first = options.warmup.value_or(options.ranks - 1);
  Table<std::int32_t> warmup;
  warmup.reserve(options.ranks);
  for (std::int32_t rank = 0; rank < options.ranks; ++rank) {
    warmup.push_back(std::min(std::max(first - rank, 0), 2 * (options.ranks - 1 - rank)));
  }
  return warmup;
}

/// One-forward-one-backward with a flush at the end of the batch; also called PipeDream-Flush, and
/// DAPPLE's schedule.
///
///   -p 3 -m 4
///   rank 0 | F0 F1 F2 .  .  .  .  B0--- F3 B1--- .  B2--- .  B3---
///   rank 1 | .  F0 F1 .  .  B0--- F2 B1--- F3 B2--- .  B3--- .  .
///   rank 2 | .  .  F0 B0--- F1 B1--- F2 B2--- F3 B3--- .  .  .  .
///            warm-up: p-1-rank forwards    steady: one F, one B    cool-down
///
/// Bubble: (p - 1) / (m + p - 1). Weight copies: 1. Live activations on a rank: min(p - rank, m).
/// Staleness: 0. `warmup` sets the warm-up of rank 0: fewer forwards need less memory and leave
/// bubbles, more (up to 2(p - 1), rank r then has 2(p - 1 - r)) hide the latency of transfers.
/// Source: Narayanan et al., "Memory-Efficient Pipeline-Parallel DNN Training", ICML 2021.
Schedule OneFOneB(const GeneratorOptions& options) {
  return MakeFlushed(options, WarmupOf(options));
}

Bounds OneFOneBBounds(const GeneratorOptions& options) {
  return FlushedBounds(WarmupOf(options), options.microbatches);
}

}  // namespace

const Generator kOneFOneB{
    .name = "1f1b",
    .make = OneFOneB,
    .summary = "one forward, one backward, flush (PipeDream-Flush, DAPPLE)",
    .bounded = "1 weight copy, D - r activation sets, staleness 0",
    .bounded_otherwise = "`warmup` W: min(max(W - r, 0), 2(D-1-r)) + 1 activation sets",
    .bounds = OneFOneBBounds,
    .source = "Narayanan et al., ICML 2021",
    .takes = kTakesWarmup,
    .flushes = true,
    .whole_batches = false};

}  // namespace stagecraft
