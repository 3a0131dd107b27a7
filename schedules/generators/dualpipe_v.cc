#include <fmt/format.h>

#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/dual_batch.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// DualPipe cut in half: on a V of two stages per rank, the forward of one chunk runs with the
/// backward of the other as one cell, so that the communication inside one hides behind the other.
///
///   -p 2 -m 4
///   rank 0 | 0F0 0F1 0F2 3F0 3I0 3W0 3F1 0F3&3B1---- .   3F2&0B0---- 3B2---- . ...
///   rank 1 | .   1F0 2F0 1F1 2F1 1F2 2B0---- 2F2&1B0---- 1F3&2B1---- 2F3&1B1---- ...
///
/// Idle time of a rank, equal stages and no transfers: (p - 1)(F&B + B - 3W) in times of a chunk,
/// F&B that of a cell that shows both results at its end, for F = I; at most that where a cell is
/// shorter than its ops or F is below I. Weight copies: 1. Live activations: 2p + 1 chunks on every
/// rank, if a W frees all. Staleness: 0. Needs m >= 2p.
/// Source: DeepSeek-AI, "DeepSeek-V3 Technical Report", arXiv 2412.19437, section 3.2.1, and its
/// DualPipe repository (DualPipeV).
Schedule DualPipeV(const GeneratorOptions& options) {
  const std::int32_t p = options.ranks;
  const std::int32_t m = options.microbatches;
  return RepeatBatch(options, VPlacement(p), [&](std::int32_t rank) {
    return DualBatch({.span = p,
                      .distance = rank,
                      .steady = m - 2 * p + rank + 1,
                      .first = {rank, 0, m},
                      .second = {2 * p - 1 - rank, 0, m}},
                     options.cells);
  });
}

std::string RefuseDualPipeV(const GeneratorOptions& options) {
  if (options.microbatches < 2 * options.ranks) {
    return fmt::format("{} micro-batches on {} ranks; expected `microbatches` of at least 2p = {}",
                       options.microbatches, options.ranks, 2 * options.ranks);
  }
  return "";
}

Bounds DualPipeVBounds(const GeneratorOptions& options) {
  return FlushedBounds(2 * options.ranks,
                       Table<std::int32_t>(options.ranks, 2 * options.ranks + 1));
}

}  // namespace

const Generator kDualPipeV{.name = "dualpipe-v",
                           .make = DualPipeV,
                           .summary = "DualPipe on a V: two stages per rank, nothing replicated",
                           .bounded = "1 weight copy, 2D + 1 chunks of activations, staleness 0",
                           .bounds = DualPipeVBounds,
                           .source = "DeepSeek-AI, DualPipe repository, 2025",
                           .takes = kTakesCells,
                           .flushes = true,
                           .whole_batches = false,
                           .refuse = RefuseDualPipeV};

}  // namespace stagecraft
