#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// GPipe on several stages per rank, placed in a loop: all micro-batches on a stage before the
/// rank's next stage begins. Each stage's weights are gathered once per pass where they are
/// sharded, which is what it is for; also called LoopedBFS.
///
///   -p 2 -m 3 --chunks 2
///   rank 0 | 0F0 0F1 0F2 2F0 2F1 2F2 .   .   .   2B0---- 2B1---- 2B2---- 0B0---- 0B1---- ...
///   rank 1 | .   1F0 1F1 1F2 3F0 3F1 3F2 3B0---- 3B1---- 3B2---- 1B0---- 1B1---- 1B2---- ...
///
/// Idle time of a rank, equal stages and no transfers: (p - 1)(F + B) / v, F and B of a rank's
/// share, if m is at least p. Weight copies: 1. Live activations: m of each chunk. Staleness: 0.
/// Backwards run in ascending order; torch's descending order has the same length.
/// Source: Lamy-Poirier, "Breadth-First Pipeline Parallelism", MLSys 2023.
Schedule BreadthFirst(const GeneratorOptions& options) {
  const std::int32_t chunks = options.chunks.value_or(kDefaultChunks);
  return RepeatBatch(options, LoopPlacement(options.ranks, chunks), [&](std::int32_t rank) {
    Program program;
    const auto add = [&](OpKind kind, std::int32_t chunk) {
      for (std::int32_t k = 0; k < options.microbatches; ++k) {
        program.push_back({.kind = kind, .stage = chunk * options.ranks + rank, .microbatch = k});
      }
    };

    // A rank's later chunks are later stages, whose gradients are there first.
    for (std::int32_t chunk = 0; chunk < chunks; ++chunk) {
      add(OpKind::kForward, chunk);
    }
    for (std::int32_t chunk = chunks - 1; chunk >= 0; --chunk) {
      add(OpKind::kBackward, chunk);
    }
    return program;
  });
}

Bounds BreadthFirstBounds(const GeneratorOptions& options) {
  const std::int32_t chunks = options.chunks.value_or(kDefaultChunks);
  return FlushedBounds(options.ranks * chunks,
                       Table<std::int32_t>(options.ranks, chunks * options.microbatches));
}

}  // namespace

const Generator kBreadthFirst{
    .name = "breadth-first",
    .make = BreadthFirst,
    .summary = "GPipe with several stages per rank, in a loop",
    .bounded = "1 weight copy, m activation sets (v m chunks), staleness 0",
    .bounds = BreadthFirstBounds,
    .source = "Lamy-Poirier, MLSys 2023",
    .takes = kTakesChunks,
    .flushes = true,
    .whole_batches = false};

}  // namespace stagecraft
