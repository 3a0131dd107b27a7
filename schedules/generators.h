#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "schedules/schedule.h"

namespace stagecraft {

/// How far a prediction looks ahead.
enum class HorizonRule : std::uint8_t {
  kExact,   ///< The true distance at that op, also in warm-up and after a drain.
  kSteady,  ///< The closed form of the paper, everywhere.
  kCode,    ///< What the released code does, where it differs; else as kSteady.
};

enum class Checkpoint : std::uint8_t { kNone, kAll, kExceptLast };
enum class Rounding : std::uint8_t { kFloor, kHalfEven };

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
  std::vector<std::int32_t> replicas{};  ///< Ranks per stage; empty: one each.
  Rounding rounding = Rounding::kFloor;
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

}  // namespace stagecraft
