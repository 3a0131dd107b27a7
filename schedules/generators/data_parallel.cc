#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// The whole model, one stage, on every rank; micro-batch q of a batch runs on rank q mod p, and
/// the ranks reduce their gradients before they step.
///
///   -p 2 -m 4 -n 2
///   rank 0 | F0 B0--- F2 B2--- F4 B4--- F6 B6---
///   rank 1 | F1 B1--- F3 B3--- F5 B5--- F7 B7---
///
/// Weight copies: 1 per rank. Live activations: 1. Staleness: 0. Needs m to be a multiple of p.
Schedule DataParallel(const GeneratorOptions& options) {
  Schedule schedule;
  schedule.shape = {options.ranks, 1, options.microbatches * options.batches};

  for (std::int32_t rank = 0; rank < options.ranks; ++rank) {
    schedule.placement.push_back({0});
    Program& program = schedule.programs.emplace_back();
    for (std::int32_t batch = 0; batch < options.batches; ++batch) {
      for (std::int32_t k = rank; k < options.microbatches; k += options.ranks) {
        const std::int32_t q = batch * options.microbatches + k;
        program.push_back({.kind = OpKind::kForward, .microbatch = q, .version = batch});
        program.push_back({.kind = OpKind::kBackward, .microbatch = q, .version = batch});
      }

      // Replicas step alike only on the sum of all their gradients.
      if (options.ranks > 1) {
        program.push_back({.kind = OpKind::kAllReduce, .version = batch});
      }
      program.push_back({.kind = OpKind::kStep, .version = batch});
    }
  }
  return schedule;
}

Bounds DataParallelBounds(const GeneratorOptions& options) {
  return FlushedBounds(1, Table<std::int32_t>(options.ranks, 1));
}

}  // namespace

const Generator kDataParallel{
    .name = "data-parallel",
    .make = DataParallel,
    .summary = "the whole model on each of `ranks` ranks, all-reduce before the step",
    .bounded = "1 weight copy and 1 activation set per rank, staleness 0",
    .bounds = DataParallelBounds,
    .source = "",
    .takes = 0,
    .flushes = true,
    .whole_batches = false,
    .deals_out_batches = true};

}  // namespace stagecraft
