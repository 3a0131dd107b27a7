#include "schedules/generators.h"
#include "schedules/generators/stream.h"

namespace stagecraft {
namespace {

/// Predicts weights for forward and backward: both aim at the weights at the moment when the
/// micro-batch's round trip ends at stage 0.
///
///   -p 3 -m 4
///   rank 0 | F0@0   F1@0+1 F2@0+2 .      .      .      .      B0@0--------- F3@1+2 B1@1----- ...
///   rank 1 | .      F0@0   F1@0+1 .      .      B0@0--------- F2@1+1 B1@1--------- F3@2+1 B2 ...
///   rank 2 | .      .      F0@0+1 B0@0+1------- F1@1+1 B1@1+1------- F2@2+1 B2@2+1------- F3 ...
///
/// Horizons on stage r of D, steady: forward floor(r/2) + D - 1 - r, backward floor(r/2). From
/// stage 2 on the aim lies beyond the stage's own update by this micro-batch.
/// Weight copies: 2, and 1 where both horizons are 0. Live activations: D - r.
/// Source: Chen et al., "Efficient and Robust Parallel DNN Training through Model Parallelism on
/// Multi-GPU Platform", arXiv 1809.02839.
Schedule SpecTrain(const GeneratorOptions& options) {
  Schedule schedule = MakeStream(StraightStream(options, 1));
  Prediction prediction;
  prediction.backward = true;
  for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
    prediction.aim.push_back(stage / 2);
    if (options.horizon != HorizonRule::kExact) {
      prediction.fixed.push_back(stage / 2 + options.ranks - 1 - stage);
    }
  }
  AddPredictions(schedule, 1, prediction);
  return schedule;
}

Bounds SpecTrainBounds(const GeneratorOptions& options) {
  Bounds bounds = StreamBounds(StraightStream(options, 1));
  for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
    const bool predicts = stage / 2 > 0 || stage < options.ranks - 1;
    bounds.weight_copies[stage] = predicts ? 2 : 1;
    if (options.horizon == HorizonRule::kExact) {
      bounds.nominal_staleness.push_back(-(stage / 2));
    }
  }
  return bounds;
}

}  // namespace

const Generator kSpecTrain{
    .name = "spectrain",
    .make = SpecTrain,
    .summary = "predicts for forward and backward, aims at the end of the round trip",
    .bounded = "2 weight copies, D - r activation sets, staleness D-1-r, nominally -floor(r/2)",
    .bounded_otherwise = "`horizon` steady, code: no bound on the nominal staleness",
    .bounds = SpecTrainBounds,
    .source = "Chen et al., arXiv 1809.02839",
    .takes = kTakesStream | kTakesHorizon,
    .flushes = false,
    .whole_batches = true,
    .one_per_update = true};

}  // namespace stagecraft
