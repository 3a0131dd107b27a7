#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/schedule.h"

namespace stagecraft {
namespace {

/// Plain training: one rank holds all stages and runs one micro-batch after the other.
///
///   -p 2 -m 2
///   rank 0 | 0F0 1F0 1B0---- 0B0---- 0F1 1F1 1B1---- 0B1----
///
/// -p counts the stages, so that the same costs per stage fit here and in a pipeline.
/// Weight copies: 1. Live activations: 1 per stage. Staleness: 0.
Schedule Sequential(const GeneratorOptions& options) {
  Schedule schedule;
  schedule.shape = {1, options.ranks, options.microbatches * options.batches};
  schedule.placement.resize(1);
  schedule.programs.resize(1);

  Program& program = schedule.programs.front();
  for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
    schedule.placement.front().push_back(stage);
  }

  // Micro-batches are numbered on across batches, and each batch reads the next version.
  for (std::int32_t q = 0; q < schedule.shape.microbatches; ++q) {
    const std::int32_t batch = q / options.microbatches;
    for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
      program.push_back(
          {.kind = OpKind::kForward, .stage = stage, .microbatch = q, .version = batch});
    }

    for (std::int32_t stage = options.ranks - 1; stage >= 0; --stage) {
      program.push_back(
          {.kind = OpKind::kBackward, .stage = stage, .microbatch = q, .version = batch});
    }

    if ((q + 1) % options.microbatches == 0) {
      for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
        program.push_back({.kind = OpKind::kStep, .stage = stage, .version = batch});
      }
    }
  }
  return schedule;
}

Bounds SequentialBounds(const GeneratorOptions& options) {
  return FlushedBounds(options.ranks, {options.ranks});
}

}  // namespace

const Generator kSequential{
    .name = "sequential",
    .make = Sequential,
    .summary = "plain training: all `ranks` stages on one rank",
    .bounded = "1 weight copy of each stage, D activation sets (1 of each stage), staleness 0",
    .bounds = SequentialBounds,
    .source = "",
    .takes = 0,
    .flushes = true,
    .whole_batches = false};

}  // namespace stagecraft
