#pragma once

#include <cstdint>
#include <vector>

#include "schedules/generator.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// A pipeline that never flushes between updates: what the asynchronous approaches share. Stage r
/// runs `warmup[r]` forwards, then pairs of one forward and one backward, then the backwards that
/// are left; it steps after the last backward of each update.
///
///   -p 3 -m 8
///   rank 0 | F0@0 F1@0 F2@0 .    .    .    .    B0@0----- F3@1 B1@1----- F4@2 B2@2----- ...
///   rank 1 | .    F0@0 F1@0 .    .    B0@0----- F2@1 B1@1----- F3@2 B2@2----- F4@3 B3@3 ...
///   rank 2 | .    .    F0@0 B0@0----- F1@1 B1@1----- F2@2 B2@2----- F3@3 B3@3----- F4@4 ...
///            warm-up                  every op reads the newest version of its stage
///
/// Micro-batch q of a stage on R ranks runs on its replica q mod R. An update of a stage takes
/// max(`update_every`, R) micro-batches. Every `drain_every` micro-batches (0: never) the pipeline
/// empties and fills again; versions go on.
struct Stream {
  Table<std::int32_t> replicas;  ///< Ranks per stage, each at least 1.
  Table<std::int32_t> warmup;    ///< Per stage: forwards of each replica before the pairs.
  std::int32_t microbatches = 1;
  std::int32_t update_every = 1;
  std::int32_t drain_every = 0;
};

/// One rank per stage, a warm-up of D - 1 - r forwards: 1F1B for `options`, updating every
/// `update_every` micro-batches.
Stream StraightStream(const GeneratorOptions& options, std::int32_t update_every);

/// Every F and B reads the newest version on its rank: no stash, no prediction. Requires
/// `microbatches` and `drain_every` to be multiples of every stage's micro-batches per update.
Schedule MakeStream(const Stream& stream);

/// What `MakeStream(stream)` never exceeds: with one weight copy, `warmup` + 1 activation sets, and
/// ceil(warmup / K) updates missed, K micro-batches per update of each replica.
Bounds StreamBounds(const Stream& stream);

/// The same for a stream whose stages keep one prediction beside the newest weights, where they run
/// ahead.
Bounds PredictedBounds(const Stream& stream);

/// Micro-batches per update of a stage on `replicas` ranks.
std::int32_t MicrobatchesPerUpdate(std::int32_t update_every, std::int32_t replicas);

/// Lets every B read what its F read: the stage keeps, or stashes, those weights.
void StashForwardWeights(Schedule& schedule);

/// What a predicting approach aims at, per stage. A forward of micro-batch q aims at version
/// floor(q / T) + aim, T micro-batches per update, and reads the prediction for it made from the
/// newest version; with `fixed` the distance is that constant instead.
struct Prediction {
  Table<std::int32_t> aim;
  Table<std::int32_t> fixed{};  ///< Empty: the exact distance at each forward.
  bool backward = false;        ///< Backwards aim at the same version; else they read the newest.
  bool reuse = false;           ///< The first micro-batch of an update predicts for all of them.
};

/// Gives the reads of `schedule`, from `MakeStream`, their horizons, and puts a P before the first
/// reader of each prediction, unless that was the last one written on the stage. A distance of 0
/// reads the version itself.
void AddPredictions(Schedule& schedule, std::int32_t update_every, const Prediction& prediction);

}  // namespace stagecraft
