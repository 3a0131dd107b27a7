#include <algorithm>
#include <cstddef>
#include <vector>

#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// All forwards of a batch, then all its backwards, then a step behind the flush.
///
///   -p 3 -m 4
///   rank 0 | F0 F1 F2 F3 .  .  .  .  .  .  B0--- B1--- B2--- B3---
///   rank 1 | .  F0 F1 F2 F3 .  .  .  B0--- B1--- B2--- B3--- .  .
///   rank 2 | .  .  F0 F1 F2 F3 B0--- B1--- B2--- B3--- .  .  .  .
///
/// Bubble: (p - 1) / (m + p - 1). Weight copies: 1. Live activations: m; with `checkpoint` only the
/// stage inputs are kept, and an R runs each forward again before its backward. Staleness: 0.
/// Source: Huang et al., "GPipe: Efficient Training of Giant Neural Networks using Pipeline
/// Parallelism", NeurIPS 2019. Backwards run in ascending order; any order has the same length.
Schedule GPipe(const GeneratorOptions& options) {
  const Table<std::int32_t> warmup(options.ranks, options.microbatches);
  return MakeFlushed(options, warmup, options.checkpoint);
}

Bounds GPipeBounds(const GeneratorOptions& options) {
  const std::int32_t m = options.microbatches;
  const std::int32_t sets = options.checkpoint == Checkpoint::kNone  ? m
                            : options.checkpoint == Checkpoint::kAll ? 1
                                                                     : std::min(m, 2);
  return FlushedBounds(options.ranks, Table<std::int32_t>(options.ranks, sets));
}

}  // namespace

const Generator kGPipe{.name = "gpipe",
                       .make = GPipe,
                       .summary = "all forwards, all backwards, flush",
                       .bounded = "1 weight copy, m activation sets, staleness 0",
                       .bounded_otherwise = "`checkpoint` all: 1 activation set; except-last: 2",
                       .bounds = GPipeBounds,
                       .source = "Huang et al., NeurIPS 2019",
                       .takes = kTakesCheckpoint,
                       .flushes = true,
                       .whole_batches = false};

}  // namespace stagecraft
