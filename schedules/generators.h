#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schedules/generators/bounds.h"
#include "schedules/schedule.h"
#include "schedules/search/activation_limit.h"
#include "schedules/search/problem.h"
#include "schedules/tables.h"

namespace stagecraft {

/// How far a prediction looks ahead.
enum class HorizonRule : std::uint8_t {
  kExact,   ///< The true distance at that op, also in warm-up and after a drain.
  kSteady,  ///< The closed form of the paper, everywhere.
  kCode,    ///< What the released code does, where it differs; else as kSteady.
};

enum class Checkpoint : std::uint8_t { kNone, kAll, kExceptLast };
enum class Rounding : std::uint8_t { kFloor, kHalfEven };

/// Whether a forward and a backward that run together are one cell.
enum class Cells : std::uint8_t { kJoined, kSeparate };

enum class PlacementKind : std::uint8_t { kLoop, kZigzag, kBidirectional };

inline constexpr std::int32_t kDefaultChunks = 2;

/// What a generator is asked for. `registry.h` says which fields each one takes and checks them.
struct GeneratorOptions {
  std::int32_t ranks = 1;         ///< -p: pipeline ranks.
  std::int32_t microbatches = 1;  ///< -m: per batch.
  std::int32_t batches = 1;       ///< -n: flush schedules step after each; asynchronous ones see
                                  ///< one stream of microbatches * batches.
  std::optional<std::int32_t> update_every{};  ///< Micro-batches per update; default 1, 2BW: ranks.
  std::int32_t drain_every =
      0;  ///< Micro-batches between drains of the pipeline; 0: only at the end.
  HorizonRule horizon = HorizonRule::kExact;
  Checkpoint checkpoint = Checkpoint::kNone;
  std::optional<std::int32_t> warmup{};  ///< Forwards before the first backward on rank 0.
  bool vertical_sync = false;
  Table<std::int32_t> replicas{};  ///< Ranks per stage; empty: one each.
  Rounding rounding = Rounding::kFloor;
  std::optional<std::int32_t> chunks{};  ///< Stages per rank; default `kDefaultChunks`.
  std::optional<std::int32_t> group{};   ///< Micro-batches before the next chunk; default: ranks.
  Cells cells = Cells::kJoined;
  PlacementKind placement = PlacementKind::kZigzag;
  std::optional<ActivationLimit> limit{};
  Table<StageEstimate> estimates{};  ///< For `Generator::placement`; empty: all 1.
  Table<std::int64_t> room{};        ///< For activations on each rank, as `kept`; empty: unlimited.
  AutoWatch watch{};                 ///< Is told how such a search stands.
};

// One file each. All require options that `CheckOptions` (registry.h) accepts.
Schedule Sequential(const GeneratorOptions& options);
Schedule ModelParallel(const GeneratorOptions& options);
Schedule GPipe(const GeneratorOptions& options);
Schedule OneFOneB(const GeneratorOptions& options);
Schedule DataParallel(const GeneratorOptions& options);
Schedule PipeDream(const GeneratorOptions& options);
Schedule PipeDream2BW(const GeneratorOptions& options);
Schedule AsyncOneFOneB(const GeneratorOptions& options);
Schedule SpecTrain(const GeneratorOptions& options);
Schedule XPipe(const GeneratorOptions& options);
Schedule PipeOptim(const GeneratorOptions& options);
Schedule PipeMare(const GeneratorOptions& options);
Schedule PipelinedBackprop(const GeneratorOptions& options);
Schedule InterleavedOneFOneB(const GeneratorOptions& options);
Schedule BreadthFirst(const GeneratorOptions& options);
Schedule ZeroBubbleH1(const GeneratorOptions& options);
Schedule ZeroBubbleH2(const GeneratorOptions& options);
Schedule ZeroBubbleV(const GeneratorOptions& options);
Schedule DualPipe(const GeneratorOptions& options);
Schedule DualPipeV(const GeneratorOptions& options);
Schedule Chimera(const GeneratorOptions& options);
Schedule Greedy(const GeneratorOptions& options);
Schedule ZeroBubbleAuto(const GeneratorOptions& options);
Schedule ZeroBubbleAutoV(const GeneratorOptions& options);

// What each never exceeds with these options. They require the same.
Bounds SequentialBounds(const GeneratorOptions& options);
Bounds ModelParallelBounds(const GeneratorOptions& options);
Bounds GPipeBounds(const GeneratorOptions& options);
Bounds OneFOneBBounds(const GeneratorOptions& options);
Bounds DataParallelBounds(const GeneratorOptions& options);
Bounds PipeDreamBounds(const GeneratorOptions& options);
Bounds PipeDream2BWBounds(const GeneratorOptions& options);
Bounds AsyncOneFOneBBounds(const GeneratorOptions& options);
Bounds SpecTrainBounds(const GeneratorOptions& options);
Bounds XPipeBounds(const GeneratorOptions& options);
Bounds PipeOptimBounds(const GeneratorOptions& options);
Bounds PipeMareBounds(const GeneratorOptions& options);
Bounds PipelinedBackpropBounds(const GeneratorOptions& options);
Bounds InterleavedBounds(const GeneratorOptions& options);
Bounds BreadthFirstBounds(const GeneratorOptions& options);
Bounds ZeroBubbleH1Bounds(const GeneratorOptions& options);
Bounds ZeroBubbleH2Bounds(const GeneratorOptions& options);
Bounds ZeroBubbleVBounds(const GeneratorOptions& options);
Bounds DualPipeBounds(const GeneratorOptions& options);
Bounds DualPipeVBounds(const GeneratorOptions& options);
Bounds ChimeraBounds(const GeneratorOptions& options);
Bounds GreedyBounds(const GeneratorOptions& options);
Bounds ZeroBubbleAutoBounds(const GeneratorOptions& options);
Bounds ZeroBubbleAutoVBounds(const GeneratorOptions& options);

/// The stages of each rank of a greedy schedule.
Placement GreedyPlacement(const GeneratorOptions& options);

// What a generator needs beside sizes in range and the options that it takes: one sentence on what
// was found and what was expected, or nothing.
std::string RefuseInterleaved(const GeneratorOptions& options);
std::string RefuseDualPipe(const GeneratorOptions& options);
std::string RefuseDualPipeV(const GeneratorOptions& options);
std::string RefuseChimera(const GeneratorOptions& options);
std::string RefuseGreedy(const GeneratorOptions& options);
std::string RefuseZeroBubbleAuto(const GeneratorOptions& options);
std::string RefuseZeroBubbleAutoV(const GeneratorOptions& options);

/// What must be said of `schedule`, made with `options`: one sentence, or nothing.
std::string WarnOfInterleaved(const GeneratorOptions& options, const Schedule& schedule);

}  // namespace stagecraft
