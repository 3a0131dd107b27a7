#include "schedules/generators.h"
#include "schedules/generators/stream.h"

namespace stagecraft {
namespace {

/// Forwards ahead of the backwards: twice as many as 1F1B has.
Stream StreamOf(const GeneratorOptions& options) {
  Stream stream = StraightStream(options, options.update_every.value_or(1));
  for (std::int32_t& forwards : stream.warmup) {
    forwards *= 2;
  }
  return stream;
}

/// Pipelined backpropagation: stage r runs 2(D - 1 - r) forwards ahead, as if forward and backward
/// of different samples were one step; forwards read a linear prediction over that delay.
///
///   -p 3 -m 5
///   rank 0 | F0@0   F1@0+1 F2@0+2 F3@0+3 F4@0+4 .      .      B0@0--------- .      B1@1----- ...
///   rank 1 | .      F0@0   F1@0+1 F2@0+2 .      B0@0--------- F3@1+2 B1@1--------- F4@2+2 B2 ...
///   rank 2 | .      .      F0@0   B0@0--------- F1@1   B1@1--------- F2@2   B2@2--------- F3 ...
///
/// Weight copies: 2, on the last stage 1. Live activations: 2(D - 1 - r) + 1. Staleness:
/// 2(D - 1 - r), nominally 0. Horizon, T micro-batches per update: ceil(2(D - 1 - r) / T).
/// Source: Kosson et al., "Pipelined Backpropagation at Scale: Training Large Models without
/// Batches", arXiv 2003.11666.
Schedule PipelinedBackprop(const GeneratorOptions& options) {
  const Stream stream = StreamOf(options);
  const std::int32_t per_update = stream.update_every;
  Prediction prediction;
  for (const std::int32_t forwards : stream.warmup) {
    prediction.aim.push_back(0);
    if (options.horizon != HorizonRule::kExact) {
      prediction.fixed.push_back((forwards + per_update - 1) / per_update);
    }
  }
  Schedule schedule = MakeStream(stream);
  AddPredictions(schedule, per_update, prediction);
  return schedule;
}

Bounds PipelinedBackpropBounds(const GeneratorOptions& options) {
  Bounds bounds = PredictedBounds(StreamOf(options));
  if (options.horizon == HorizonRule::kExact) {
    bounds.nominal_staleness.assign(bounds.staleness.size(), 0);
  }
  return bounds;
}

}  // namespace

const Generator kPipelinedBackprop{
    .name = "pipelined-backprop",
    .make = PipelinedBackprop,
    .summary = "2(D-1-r) forwards ahead, forwards predict over that delay",
    .bounded = "2 weight copies (last stage 1), 2(D-1-r) + 1 activation sets, staleness 2(D-1-r)",
    .bounds = PipelinedBackpropBounds,
    .source = "Kosson et al., arXiv 2003.11666",
    .takes = kTakesStream | kTakesHorizon,
    .flushes = false,
    .whole_batches = true};

}  // namespace stagecraft
