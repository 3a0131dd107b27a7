#include "schedules/generators.h"
#include "schedules/stream.h"

namespace stagecraft {

/// 1F1B without a flush and without any remedy: a forward reads the newest weights, and so does its
/// backward, after other updates.
///
///   PICTURE
///
/// Weight copies: 1. Live activations: D - r. Staleness: D - 1 - r, and the backward's weights are
/// not its forward's.
Schedule AsyncOneFOneB(const GeneratorOptions& options) {
  return MakeStream(StraightStream(options, options.update_every.value_or(1)));
}

}  // namespace stagecraft
