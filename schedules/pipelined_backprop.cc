#include "schedules/generators.h"
#include "schedules/stream.h"

namespace stagecraft {

/// Pipelined backpropagation: stage r runs 2(D - 1 - r) forwards ahead, as if forward and backward
/// of different samples were one step; forwards read a linear prediction over that delay.
///
///   PICTURE
///
/// Weight copies: 2, on the last stage 1. Live activations: 2(D - 1 - r) + 1. Staleness:
/// 2(D - 1 - r), nominally 0. Horizon, T micro-batches per update: ceil(2(D - 1 - r) / T).
/// Source: Kosson et al., "Pipelined Backpropagation at Scale: Training Large Models without
/// Batches", arXiv 2003.11666.
Schedule PipelinedBackprop(const GeneratorOptions& options) {
  const std::int32_t per_update = options.update_every.value_or(1);
  Stream stream = StraightStream(options, per_update);
  Prediction prediction;
  for (std::int32_t& forwards : stream.warmup) {
    forwards *= 2;
    prediction.aim.push_back(0);
    if (options.horizon != HorizonRule::kExact) {
      prediction.fixed.push_back((forwards + per_update - 1) / per_update);
    }
  }
  Schedule schedule = MakeStream(stream);
  AddPredictions(schedule, per_update, prediction);
  return schedule;
}

}  // namespace stagecraft
