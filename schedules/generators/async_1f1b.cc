#include "schedules/generators.h"
#include "schedules/generators/stream.h"

namespace stagecraft {
namespace {

/// 1F1B without a flush and without any remedy: a forward reads the newest weights, and so does its
/// backward, after other updates.
///
///   -p 3 -m 4
///   rank 0 | F0@0 F1@0 F2@0 .    .    .    .    B0@0----- F3@1 B1@1----- .    B2@2----- .    ...
///   rank 1 | .    F0@0 F1@0 .    .    B0@0----- F2@1 B1@1----- F3@2 B2@2----- .    B3@3----- ...
///   rank 2 | .    .    F0@0 B0@0----- F1@1 B1@1----- F2@2 B2@2----- F3@3 B3@3----- .    .    ...
///
/// Weight copies: 1. Live activations: D - r. Staleness: D - 1 - r, and the backward's weights are
/// not its forward's.
Schedule AsyncOneFOneB(const GeneratorOptions& options) {
  return MakeStream(StraightStream(options, options.update_every.value_or(1)));
}

Bounds AsyncOneFOneBBounds(const GeneratorOptions& options) {
  return StreamBounds(StraightStream(options, options.update_every.value_or(1)));
}

}  // namespace

const Generator kAsyncOneFOneB{.name = "async-1f1b",
                               .make = AsyncOneFOneB,
                               .summary = "1F1B without flush or stash: reads whatever is newest",
                               .bounded = "1 weight copy, D - r activation sets, staleness D-1-r",
                               .bounds = AsyncOneFOneBBounds,
                               .source = "",
                               .takes = kTakesStream,
                               .flushes = false,
                               .whole_batches = true};

}  // namespace stagecraft
