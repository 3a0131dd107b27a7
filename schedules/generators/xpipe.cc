#include "schedules/generators.h"
#include "schedules/generators/stream.h"

namespace stagecraft {
namespace {

/// `numerator` / `denominator`, not negative, rounded to a whole number.
std::int32_t Round(std::int32_t numerator, std::int32_t denominator, Rounding rounding) {
  const std::int32_t floor = numerator / denominator;
  if (rounding == Rounding::kFloor) {
    return floor;
  }
  const std::int32_t rest = 2 * (numerator % denominator);
  const bool up = rest > denominator || (rest == denominator && floor % 2 == 1);
  return floor + (up ? 1 : 0);
}

/// Micro-batches pipelined without a flush, an update every T of them. The first micro-batch of an
/// update predicts for all T: once for their forwards, once for their backwards.
///
///   -p 3 -m 4 --update-every 2
///   rank 0 | F0@0   F1@0   F2@0+1 .      .      .      .      B0@0--------- F3@0+1 B1@0----- ...
///   rank 1 | .      F0@0   F1@0   .      .      B0@0--------- F2@0+1 B1@0--------- F3@0+1 B2 ...
///   rank 2 | .      .      F0@0+1 B0@0+1------- F1@0+1 B1@0+1------- F2@1+1 B2@1+1------- F3 ...
///
/// Horizons on stage r of D: forward round((D + T - r/2 - 2) / T), backward
/// round((T + floor(r/2) - 1) / T). `rounding` says which rounding: the paper's is not known.
/// Weight copies: up to 3. Live activations: D - r.
/// Source: Guan et al., "XPipe: Efficient Pipeline Model Parallelism for Multi-GPU DNN Training",
/// arXiv 1911.04610.
Schedule XPipe(const GeneratorOptions& options) {
  const std::int32_t per_update = options.update_every.value_or(1);
  Schedule schedule = MakeStream(StraightStream(options, per_update));

  Prediction prediction;
  prediction.backward = true;
  prediction.reuse = true;

  // Whole numerators: the backward's horizon is a fraction of T, the forward's one of 2T.
  for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
    prediction.aim.push_back(Round(per_update + stage / 2 - 1, per_update, options.rounding));
    if (options.horizon != HorizonRule::kExact) {
      prediction.fixed.push_back(
          Round(2 * options.ranks + 2 * per_update - stage - 4, 2 * per_update, options.rounding));
    }
  }
  AddPredictions(schedule, per_update, prediction);
  return schedule;
}

Bounds XPipeBounds(const GeneratorOptions& options) {
  Bounds bounds = StreamBounds(StraightStream(options, options.update_every.value_or(1)));
  bounds.weight_copies.assign(bounds.weight_copies.size(), 3);
  return bounds;
}

}  // namespace

const Generator kXPipe{
    .name = "xpipe",
    .make = XPipe,
    .summary = "one prediction per update for its T forwards, one for its T backwards",
    .bounded = "3 weight copies, D - r activation sets, staleness D-1-r",
    .bounds = XPipeBounds,
    .source = "Guan et al., arXiv 1911.04610",
    .takes = kTakesStream | kTakesHorizon | kTakesRounding,
    .flushes = false,
    .whole_batches = false};

}  // namespace stagecraft
