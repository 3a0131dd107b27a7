#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Layers spread over ranks without any overlap: a micro-batch goes all the way forward and back
/// before the next one starts.
///
///   -p 3 -m 2
///   rank 0 | F0 .  .  .  .  .  .  B0--- F1 .  .  .  .  .  .  B1---
///   rank 1 | .  F0 .  .  .  B0--- .  .  .  F1 .  .  .  B1--- .  .
///   rank 2 | .  .  F0 B0--- .  .  .  .  .  .  F1 B1--- .  .  .  .
///
/// Weight copies: 1. Live activations: 1. Staleness: 0. The baseline that pipelining improves on.
Schedule ModelParallel(const GeneratorOptions& options) {
  return MakeFlushed(options, Table<std::int32_t>(options.ranks, 0));
}

Bounds ModelParallelBounds(const GeneratorOptions& options) {
  return FlushedBounds(Table<std::int32_t>(options.ranks, 0), options.microbatches);
}

}  // namespace

const Generator kModelParallel{.name = "model-parallel",
                               .make = ModelParallel,
                               .summary = "stages on ranks, one micro-batch at a time, no overlap",
                               .bounded = "1 weight copy, 1 activation set, staleness 0",
                               .bounds = ModelParallelBounds,
                               .source = "",
                               .takes = 0,
                               .flushes = true,
                               .whole_batches = false};

}  // namespace stagecraft
