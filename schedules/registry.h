#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "schedules/diagnostic.h"
#include "schedules/generators.h"
#include "schedules/placements.h"
#include "schedules/schedule.h"

namespace stagecraft {

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

/// All of them, in the order of the listing.
std::span<const Generator> Generators();

/// Null if there is none of that name.
const Generator* FindGenerator(std::string_view name);

/// Looks up, checks and makes. An unknown name gets a did-you-mean. Where the schedule needs more
/// than its generator states, a warning beside it says so.
Result<Schedule> Generate(std::string_view name, const GeneratorOptions& options);

}  // namespace stagecraft
