#include <algorithm>

#include "schedules/generators.h"
#include "schedules/generators/stream.h"
#include "schedules/schedule.h"

namespace stagecraft {
namespace {

std::int32_t UpdateEvery(const GeneratorOptions& options) {
  return options.update_every.value_or(options.ranks);
}

Stream StreamOf(const GeneratorOptions& options) {
  Stream stream = StraightStream(options, UpdateEvery(options));
  for (std::int32_t& forwards : stream.warmup) {
    forwards = std::min(forwards, stream.update_every);
  }
  return stream;
}

/// Double-buffered weights: 1F1B without a flush, an update every T micro-batches, and every read
/// of micro-batch q, forward or backward, on every stage, is of version max(0, floor(q / T) - 1).
///
///   -p 2 -m 6 --update-every 2
///   rank 0 | F0@0 F1@0 .    .    B0@0----- F2@0 B1@0----- F3@0 B2@0----- F4@1 B3@0----- F5@1 ...
///   rank 1 | .    F0@0 B0@0----- F1@0 B1@0----- F2@0 B2@0----- F3@0 B3@0----- F4@1 B4@1----- ...
///
/// Weight copies: 2. Live activations: D - r. Staleness: 1 (0 for the first update). T below D
/// shortens the warm-up to T forwards and leaves bubbles.
/// Source: Narayanan et al., "Memory-Efficient Pipeline-Parallel DNN Training", ICML 2021,
/// section 3.1.
Schedule PipeDream2BW(const GeneratorOptions& options) {
  const std::int32_t per_update = UpdateEvery(options);
  Schedule schedule = MakeStream(StreamOf(options));
  for (Program& program : schedule.programs) {
    for (Op& op : program) {
      if (TraitsOf(op.kind).reads_weights) {
        op.version = std::max(0, op.microbatch / per_update - 1);
      }
    }
  }
  return schedule;
}

Bounds PipeDream2BWBounds(const GeneratorOptions& options) {
  Bounds bounds = StreamBounds(StreamOf(options));
  bounds.weight_copies.assign(bounds.weight_copies.size(), 2);
  bounds.staleness.assign(bounds.staleness.size(), 1);
  return bounds;
}

}  // namespace

const Generator kPipeDream2BW{
    .name = "pipedream-2bw",
    .make = PipeDream2BW,
    .summary = "double-buffered weights, an update every T micro-batches",
    .bounded = "2 weight copies, D - r activation sets, staleness 1",
    .bounded_otherwise = "T micro-batches per update below D-1-r: T + 1 activation sets",
    .bounds = PipeDream2BWBounds,
    .source = "Narayanan et al., ICML 2021",
    .takes = kTakesStream,
    .flushes = false,
    .whole_batches = false,
    .updates_every_ranks = true,
    .reads_over_drains = true};

}  // namespace stagecraft
