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
  Nanoseconds forward{0};
  Nanoseconds backward{0};
  Nanoseconds backward_input{0};
  Nanoseconds backward_weight{0};
  Nanoseconds recompute{0};
  Nanoseconds step{0};
  Nanoseconds predict{0};
  Nanoseconds allreduce{0};
  std::optional<Nanoseconds> joined;  ///< Whole cell whose first op is on this stage; else the sum.
  StageSizes sizes;
};

inline constexpr Nanoseconds kMaxDuration = std::chrono::hours(1);
inline constexpr std::int64_t kMaxBytes = std::int64_t{1} << 50;  ///< 1 PiB.

/// The layers of a profile that one stage has; a ready stage is one.
struct StageLayers {
  std::int32_t first = 0;
  std::int32_t last = 0;
  std::string first_name;
  std::string last_name;
};

/// Costs of a pipeline for one micro-batch size.
struct Costs {
  Table<StageCosts> stages;
  Table<StageLayers> layers;         ///< Of each stage, where costs are from a profile,
  std::string cut;                   ///< and a sentence on who or what cut them there.
  bool is_ready = false;             ///< The profile has stages, which were not cut.
  double microbatch_size = 1;        ///< Samples per micro-batch.
  std::vector<std::string> derived;  ///< One sentence per number that was not measured.
};

/// The sizes of all stages, for the analyses in `schedules`.
Table<StageSizes> SizesOf(const Costs& costs);

}  // namespace stagecraft
