#include "schedules/generators.h"
#include "schedules/stream.h"

namespace stagecraft {

/// Predicts weights for the forward only: it aims at the version that will be the newest when the
/// micro-batch's backward runs on the same stage, and the backward then reads that version itself.
///
///   PICTURE
///
/// Horizon on stage r of D, steady, T micro-batches per update: ceil((D - 1 - r) / T); the released
/// code uses D - r, one update too far. Weight copies: 2, on the last stage 1. Live activations:
/// D - r. Staleness D - 1 - r, nominally 0: version + horizon is the version that is stepped.
/// Source: Guan et al., "PipeOptim: Ensuring Effective 1F1B Schedule with Optimizer-Dependent
/// Weight Prediction", arXiv 2312.00839.
Schedule PipeOptim(const GeneratorOptions& options) {
  const std::int32_t per_update = options.update_every.value_or(1);
  Schedule schedule = MakeStream(StraightStream(options, per_update));
  Prediction prediction;
  for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
    prediction.aim.push_back(0);
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

}  // namespace stagecraft
