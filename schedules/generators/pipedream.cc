#include <cstddef>
#include <vector>

#include "schedules/generators.h"
#include "schedules/generators/stream.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Lets every op of micro-batch q read the version that stage 0 read for it.
void SynchronizeVertically(Schedule& schedule) {
  Table<std::int32_t> version(schedule.shape.microbatches, 0);
  for (const Op& op : schedule.programs.front()) {
    if (op.kind == OpKind::kForward) {
      version[op.microbatch] = op.version;
    }
  }
  for (Program& program : schedule.programs) {
    for (Op& op : program) {
      if (TraitsOf(op.kind).reads_weights) {
        op.version = version[op.microbatch];
      }
    }
  }
}

/// Warm-up of each stage: the ranks behind it, shared among its replicas.
Table<std::int32_t> WarmupOf(const Table<std::int32_t>& replicas, std::int32_t ranks) {
  Table<std::int32_t> warmup;
  std::int32_t before = 0;
  for (const std::int32_t count : replicas) {
    warmup.push_back((ranks - 1 - before) / count);
    before += count;
  }
  return warmup;
}

Stream StreamOf(const GeneratorOptions& options) {
  Stream stream = StraightStream(options, options.update_every.value_or(1));
  if (!options.replicas.empty()) {
    stream.replicas = options.replicas;
    stream.warmup = WarmupOf(options.replicas, options.ranks);
  }
  return stream;
}

/// 1F1B without a flush, an update after every micro-batch; a backward reads the weights that its
/// forward read, which the stage has stashed.
///
///   -p 3 -m 4
///   rank 0 | F0@0 F1@0 F2@0 .    .    .    .    B0@0----- F3@1 B1@0----- .    B2@0----- .    ...
///   rank 1 | .    F0@0 F1@0 .    .    B0@0----- F2@1 B1@0----- F3@2 B2@1----- .    B3@2----- ...
///   rank 2 | .    .    F0@0 B0@0----- F1@1 B1@1----- F2@2 B2@2----- F3@3 B3@3----- .    .    ...
///
/// Weight copies on stage r of D: D - r (with `vertical_sync`, where all stages read what stage 0
/// read for the micro-batch, D). Live activations: D - r. Staleness: D - 1 - r (D - 1).
/// `replicas` puts stages on several ranks: with 3,1 stage 0 stands on ranks 0 to 2, micro-batch q
/// runs on rank q mod 3, and stage 0 updates every 3 micro-batches.
/// Source: Narayanan et al., "PipeDream: Generalized Pipeline Parallelism for DNN Training",
/// SOSP 2019, sections 3.2 and 3.3; the warm-up of replicated stages is the released runtime's.
Schedule PipeDream(const GeneratorOptions& options) {
  Schedule schedule = MakeStream(StreamOf(options));
  if (options.vertical_sync) {
    SynchronizeVertically(schedule);
  } else {
    StashForwardWeights(schedule);
  }
  return schedule;
}

Bounds PipeDreamBounds(const GeneratorOptions& options) {
  Bounds bounds = StreamBounds(StreamOf(options));
  for (std::size_t stage = 0; stage < bounds.staleness.size(); ++stage) {
    // All stages read what stage 0 reads, whose gradients miss most updates.
    if (options.vertical_sync) {
      bounds.staleness[stage] = bounds.staleness.front();
    }
    bounds.weight_copies[stage] = bounds.staleness[stage] + 1;
  }
  return bounds;
}

}  // namespace

const Generator kPipeDream{
    .name = "pipedream",
    .make = PipeDream,
    .summary = "1F1B without flush; backward reads the stashed weights of its forward",
    .bounded = "D - r weight copies, D - r activation sets, staleness D-1-r",
    .bounded_otherwise = "`vertical_sync`: D weight copies, staleness D-1, on every stage",
    .bounds = PipeDreamBounds,
    .source = "Narayanan et al., SOSP 2019",
    .takes = kTakesStream | kTakesVerticalSync | kTakesReplicas,
    .flushes = false,
    .whole_batches = true};

}  // namespace stagecraft
