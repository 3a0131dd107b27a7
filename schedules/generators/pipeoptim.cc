#include "schedules/generators.h"
#include "schedules/generators/stream.h"

namespace stagecraft {
namespace {

/// Predicts weights for the forward only: it aims at the version that will be the newest when the
/// micro-batch's backward runs on the same stage, and the backward then reads that version itself.
///
///   -p 3 -m 4
///   rank 0 | F0@0   F1@0+1 F2@0+2 .      .      .      .      B0@0--------- F3@1+2 B1@1----- ...
///   rank 1 | .      F0@0   F1@0+1 .      .      B0@0--------- F2@1+1 B1@1--------- F3@2+1 B2 ...
///   rank 2 | .      .      F0@0   B0@0--------- F1@1   B1@1--------- F2@2   B2@2--------- F3 ...
///
/// Horizon on stage r of D, steady, T micro-batches per update: ceil((D - 1 - r) / T); the released
/// code uses D - r, one update too far. Weight copies: 2, on the last stage 1 (2 with the code's
/// horizon). Live activations: D - r. Staleness D - 1 - r, nominally 0: version + horizon is the
/// version that is stepped.
/// Source: Guan et al., "PipeOptim: Ensuring Effective 1F1B Schedule with Optimizer-Dependent
/// Weight Prediction", arXiv 2312.00839.
Schedule PipeOptim(const GeneratorOptions& options) {
  const std::int32_t per_update = options.update_every.value_or(1);
  Schedule schedule = MakeStream(StraightStream(options, per_update));

  Prediction prediction;
  for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
    prediction.aim.push_back(0);

    // With the exact rule `fixed` stays empty: each forward has a distance of its own then.
    const std::int32_t behind = options.ranks - 1 - stage;
    if (options.horizon == HorizonRule::kSteady) {
      prediction.fixed.push_back((behind + per_update - 1) / per_update);
    } else if (options.horizon == HorizonRule::kCode) {
      prediction.fixed.push_back(behind + 1);
    }
  }
  AddPredictions(schedule, per_update, prediction);
  return schedule;
}

Bounds PipeOptimBounds(const GeneratorOptions& options) {
  Bounds bounds = PredictedBounds(StraightStream(options, options.update_every.value_or(1)));
  if (options.horizon == HorizonRule::kCode) {
    bounds.weight_copies.back() = 2;  // It looks one update ahead where there is none between.
  }
  if (options.horizon == HorizonRule::kExact) {
    bounds.nominal_staleness.assign(bounds.staleness.size(), 0);
  }
  return bounds;
}

}  // namespace

const Generator kPipeOptim{
    .name = "pipeoptim",
    .make = PipeOptim,
    .summary = "predicts for the forward what its backward will read",
    .bounded =
        "2 weight copies (last stage 1), D - r activation sets, staleness D-1-r, nominally 0",
    .bounded_otherwise =
        "`horizon` steady, code: no bound on the nominal staleness; code: 2 weight "
        "copies on the last stage",
    .bounds = PipeOptimBounds,
    .source = "Guan et al., arXiv 2312.00839",
    .takes = kTakesStream | kTakesHorizon,
    .flushes = false,
    .whole_batches = true};

}  // namespace stagecraft
