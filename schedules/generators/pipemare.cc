#include "schedules/generators.h"
#include "schedules/generators/stream.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Lets every backward of one program read the estimate of its forward's version made from the
/// newest one.
Program EstimateForwardWeights(const Program& program, std::int32_t microbatches) {
  Table<std::int32_t> forward(microbatches, 0);
  Program ops;
  Op last_written;

  for (Op op : program) {
    if (op.kind == OpKind::kForward) {
      forward[op.microbatch] = op.version;
    } else if (op.kind == OpKind::kBackward) {
      op.horizon = static_cast<std::int16_t>(forward[op.microbatch] - op.version);

      // Backwards that follow each other and read the same estimate share it.
      const Op estimate{.kind = OpKind::kPredict,
                        .horizon = op.horizon,
                        .stage = op.stage,
                        .version = op.version};

      if (op.horizon != 0 && estimate != last_written) {
        ops.push_back(estimate);
        last_written = estimate;
      }
    }
    ops.push_back(op);
  }
  return ops;
}

/// 1F1B without a flush and without a stash: the forward reads the newest weights, and the backward
/// reads an estimate of what its forward read, made from the weights that are newest by then.
///
///   -p 3 -m 4
///   rank 0 | F0@0 F1@0 F2@0 .    .    .    .    B0@0----- F3@1 B1@1-1--- .    B2@2-2--- .    ...
///   rank 1 | .    F0@0 F1@0 .    .    B0@0----- F2@1 B1@1-1--- F3@2 B2@2-1--- .    B3@3-1--- ...
///   rank 2 | .    .    F0@0 B0@0----- F1@1 B1@1----- F2@2 B2@2----- F3@3 B3@3----- .    .    ...
///
/// `@3-3` is that estimate: version 0 seen from version 3. Weight copies: 2, on the last stage 1.
/// Live activations: D - r. Staleness: D - 1 - r; the method lowers the learning rate by it.
/// Source: Yang et al., "PipeMare: Asynchronous Pipeline Parallel DNN Training", arXiv 1910.05124
/// (discrepancy correction).
Schedule PipeMare(const GeneratorOptions& options) {
  Schedule schedule = MakeStream(StraightStream(options, options.update_every.value_or(1)));
  for (Program& program : schedule.programs) {
    program = EstimateForwardWeights(program, schedule.shape.microbatches);
  }
  return schedule;
}

Bounds PipeMareBounds(const GeneratorOptions& options) {
  return PredictedBounds(StraightStream(options, options.update_every.value_or(1)));
}

}  // namespace

const Generator kPipeMare{
    .name = "pipemare",
    .make = PipeMare,
    .summary = "backward reads an estimate of its forward's weights, nothing is stashed",
    .bounded = "2 weight copies (last stage 1), D - r activation sets, staleness D-1-r",
    .bounds = PipeMareBounds,
    .source = "Yang et al., arXiv 1910.05124",
    .takes = kTakesStream,
    .flushes = false,
    .whole_batches = true};

}  // namespace stagecraft
