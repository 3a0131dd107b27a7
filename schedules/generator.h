#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/placements.h"
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

/// What a generator is asked for. `Generator::takes` says which
/// of them it takes, `CheckOptions` whether they make sense.
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

/// What a generated schedule never exceeds: the statement that `stagecraft schedules` prints, for
/// given options. Long runs reach it, unless the generator says otherwise.
struct Bounds {
  Table<std::int32_t> weight_copies;  ///< Per stage, on each rank that holds it.
  Table<std::int32_t> staleness;      ///< Per stage, over all micro-batches.

  /// Per rank, all its stages together: sets of one micro-batch on one stage. Empty if they are
  /// limited in bytes.
  Table<std::int32_t> activation_sets;

  /// Per stage: the nominal staleness, exactly, of every update. Empty if nothing is stated.
  Table<std::int32_t> nominal_staleness{};
};

/// The options beside -p, -m, -n that a generator may take: bits of `Generator::takes`.
enum Takes : std::uint32_t {
  kTakesUpdateEvery = 1U << 0U,
  kTakesDrainEvery = 1U << 1U,
  kTakesHorizon = 1U << 2U,
  kTakesCheckpoint = 1U << 3U,
  kTakesWarmup = 1U << 4U,
  kTakesVerticalSync = 1U << 5U,
  kTakesReplicas = 1U << 6U,
  kTakesRounding = 1U << 7U,
  kTakesChunks = 1U << 8U,
  kTakesGroup = 1U << 9U,
  kTakesCells = 1U << 10U,
  kTakesPlacement = 1U << 11U,
  kTakesLimit = 1U << 12U,

  kTakesStream = kTakesUpdateEvery | kTakesDrainEvery,  ///< What all take that never flush.
};

/// One schedule that can be generated.
struct Generator {
  std::string_view name;  ///< As on the command line.
  Schedule (*make)(const GeneratorOptions&);
  std::string_view summary;  ///< One line.
  std::string_view bounded;  ///< What is bounded: weight copies, activations, staleness.
  std::string_view bounded_otherwise = "";  ///< Options that change that, and to what; or nothing.
  Bounds (*bounds)(const GeneratorOptions&);  ///< The same in numbers, whatever the options.
  std::string_view source;                    ///< Paper, year, figure or equation.
  std::uint32_t takes;                        ///< Sum of `Takes`.
  bool flushes;        ///< Steps after each batch, with an empty pipeline: staleness 0.
  bool whole_batches;  ///< Its paper pipelines whole batches, not micro-batches.
  bool updates_every_ranks = false;  ///< -p micro-batches per update unless told otherwise, not 1.
  bool one_per_update = false;       ///< Defined for one micro-batch per update only.
  bool reads_over_drains = false;    ///< Behind a drain it reads the version before the newest.
  bool deals_out_batches = false;    ///< Every rank gets as many micro-batches of each batch.
  /// What it needs beside that: a sentence, or nothing. May be null. Called with sizes in range.
  std::string (*refuse)(const GeneratorOptions&) = nullptr;
  /// What must be said of a schedule that was made: a sentence, or nothing. May be null.
  std::string (*warn)(const GeneratorOptions&, const Schedule&) = nullptr;
  /// The placement of a schedule that takes `estimates` and `room`; else null. Called with sizes in
  /// range.
  Placement (*placement)(const GeneratorOptions&) = nullptr;
  bool automatic =
      false;  ///< Its order is searched for, by the times of `estimates`: takes `watch`.
};

}  // namespace stagecraft
