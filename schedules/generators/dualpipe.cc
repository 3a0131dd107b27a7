#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/dual_batch.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Two pipelines in opposite directions over the same ranks, half of the micro-batches each: the
/// forward of one direction runs with the backward of the other as one cell, so that the
/// communication inside one hides behind the other. Every stage has two replicas, which reduce
/// their gradients before they step.
///
///   -p 4 -m 8
///   rank 0 | 0F0 0F1 0F2 3F4 3I4 3W4 3F5 0F3&3B5---- .   3F6&0B0---- 3B6---- . ...
///   rank 1 | .   1F0 2F4 1F1 2F5 1F2 2B4---- 2F6&1B0---- 1F3&2B5---- 2F7&1B1---- ...
///   rank 2 | .   1F4 2F0 1F5 2F1 1F6 2B0---- 2F2&1B4---- 1F7&2B1---- 2F3&1B5---- ...
///   rank 3 | 0F4 0F5 0F6 3F0 3I0 3W0 3F1 0F7&3B1---- .   3F2&0B4---- 3B2---- . ...
///
/// Idle time of a rank, equal stages and no transfers: (p/2 - 1)(F&B + B - 3W), F&B that of a
/// cell that shows both results at its end, for F = I; at most that where a cell is shorter than
/// its ops or F is below I. Weight copies: 1 of each of 2 stages. Live activations: p + 1 on every
/// rank, if a W frees all. Staleness: 0. Needs p and m even, m >= 2p.
/// Source: DeepSeek-AI, "DeepSeek-V3 Technical Report", arXiv 2412.19437, section 3.2.1.
Schedule DualPipe(const GeneratorOptions& options) {
  const std::int32_t p = options.ranks;
  const std::int32_t half = options.microbatches / 2;

  return RepeatBatch(options, BidirectionalPlacement(p), [&](std::int32_t rank) {
    BatchWriter::Chunk entering{rank, 0, half};  // Micro-batches from rank 0 on.
    BatchWriter::Chunk opposite{p - 1 - rank, half, half};
    if (rank >= p / 2) {
      std::swap(entering, opposite);
    }

    // The ranks r and p - 1 - r do the same, each seen from its own end of the pipeline.
    const std::int32_t distance = std::min(rank, p - 1 - rank);
    return DualBatch({.span = p / 2,
                      .distance = distance,
                      .steady = half - p + distance + 1,
                      .first = entering,
                      .second = opposite},
                     options.cells);
  });
}

std::string RefuseDualPipe(const GeneratorOptions& options) {
  if (options.ranks % 2 != 0) {
    return fmt::format("{} ranks; expected an even `ranks`, half for each direction",
                       options.ranks);
  }
  if (options.microbatches % 2 != 0 || options.microbatches < 2 * options.ranks) {
    return fmt::format(
        "{} micro-batches on {} ranks; expected an even `microbatches` of at least 2p = {}",
        options.microbatches, options.ranks, 2 * options.ranks);
  }
  return "";
}

Bounds DualPipeBounds(const GeneratorOptions& options) {
  return FlushedBounds(options.ranks, Table<std::int32_t>(options.ranks, options.ranks + 1));
}

}  // namespace

const Generator kDualPipe{
    .name = "dualpipe",
    .make = DualPipe,
    .summary = "two directions at once, forward and backward as one cell",
    .bounded = "2 weight copies (one of each of 2 stages), D + 1 activation sets, staleness 0",
    .bounds = DualPipeBounds,
    .source = "DeepSeek-AI, arXiv 2412.19437",
    .takes = kTakesCells,
    .flushes = true,
    .whole_batches = false,
    .refuse = RefuseDualPipe};

}  // namespace stagecraft
