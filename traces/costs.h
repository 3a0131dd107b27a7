#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schedules/activations.h"
#include "schedules/tables.h"
#include "traces/timeline.h"

namespace stagecraft {

/// What each op of one stage costs, complete: nothing is missing, what was not measured has been
/// derived or is 0. Durations in [0, kMaxDuration], sizes in [0, kMaxBytes].
struct StageCosts {
  Nanoseconds forward{0};          ///< F of one micro-batch.
  Nanoseconds backward{0};         ///< B: the whole backward of one micro-batch.
  Nanoseconds backward_input{0};   ///< I: the part of it that gives the gradient of the input.
  Nanoseconds backward_weight{0};  ///< W: the part of it that gives the gradient of the weights.
  Nanoseconds recompute{0};        ///< R: the forward once more, where activations were dropped.
  Nanoseconds step{0};             ///< S: one optimizer step.
  Nanoseconds predict{0};          ///< P: one prediction of weights.
  Nanoseconds allreduce{0};        ///< A: one all-reduce of the gradients of a stage's replicas.
  /// A whole cell whose first op is on this stage; nullopt: the sum of its ops.
  std::optional<Nanoseconds> joined;
  StageSizes sizes;
};

/// The longest duration of one op. 64 bits hold the sum of two million of these.
inline constexpr Nanoseconds kMaxDuration = std::chrono::hours(1);
inline constexpr std::int64_t kMaxBytes = std::int64_t{1} << 50;  ///< 1 PiB.

/// The layers of a profile that one stage has; a ready stage is one.
struct StageLayers {
  std::int32_t first = 0;  ///< Numbers of layers, from 0.
  std::int32_t last = 0;
  std::string first_name;  ///< As the profile has it; may be empty.
  std::string last_name;
};

/// Costs of a pipeline for one micro-batch size.
struct Costs {
  Table<StageCosts> stages;
  /// The layers of each stage; empty: the costs are not from a profile.
  Table<StageLayers> layers;
  std::string cut;                   ///< Who or what cut the layers there, as a sentence.
  bool is_ready = false;             ///< Whether the profile has stages, so that nothing was cut.
  double microbatch_size = 1;        ///< Samples per micro-batch.
  std::vector<std::string> derived;  ///< One sentence per number that was not measured.
};

/// The sizes of all stages, for the analyses in `schedules`.
Table<StageSizes> SizesOf(const Costs& costs);

}  // namespace stagecraft
