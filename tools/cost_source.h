#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "schedules/schedule.h"
#include "tools/command.h"
#include "tools/terminal.h"
#include "traces/costs.h"
#include "traces/profile.h"

namespace stagecraft {

/// A flag that gives what one kind of op takes.
struct DurationFlag {
  const char* flag;
  Nanoseconds StageCosts::*member;
  const char* description;
  bool scales;  ///< With the micro-batch size.
};

/// A flag that gives how large something of a stage is.
struct SizeFlag {
  const char* flag;
  std::int64_t StageSizes::*member;
  const char* description;
  bool scales;
};

inline constexpr std::array<DurationFlag, 8> kDurationFlags = {{
    {"--forward", &StageCosts::forward, "F: forward of one micro-batch", true},
    {"--backward", &StageCosts::backward, "B: full backward of one micro-batch", true},
    {"--backward-input", &StageCosts::backward_input, "I: backward for the input [B / 2]", true},
    {"--backward-weight", &StageCosts::backward_weight, "W: backward for the weights [B - I]",
     true},
    {"--recompute", &StageCosts::recompute, "R: forward once more [F]", true},
    {"--step", &StageCosts::step, "S: optimizer step", false},
    {"--predict", &StageCosts::predict, "P: weight prediction", false},
    {"--allreduce", &StageCosts::allreduce, "A: all-reduce of the gradients", false},
}};

inline constexpr std::array<SizeFlag, 4> kSizeFlags = {{
    {"--boundary", &StageSizes::output_bytes, "a stage's output, per micro-batch", true},
    {"--activation", &StageSizes::activation_bytes, "kept for the backward, per micro-batch", true},
    {"--parameters", &StageSizes::parameter_bytes, "one copy of a stage's weights", false},
    {"--released", &StageSizes::released_by_backward_input,
     "part of --activation that an I gives back [0]", true},
}};

/// Costs from flags: of each flag one value for all stages or one per stage; empty if not given.
struct InlineCosts {
  std::array<std::vector<Nanoseconds>, kDurationFlags.size()> durations;
  std::array<std::vector<std::int64_t>, kSizeFlags.size()> sizes;
  std::vector<Nanoseconds> joined;
};

/// Where the costs of any schedule come from: a profile, flags, or both; a flag replaces the
/// profile's figure. Files have been read.
class CostSource {
 public:
  CostSource(InlineCosts inline_costs, std::optional<Profile> profile, double microbatch_size)
      : inline_(std::move(inline_costs)),
        profile_(std::move(profile)),
        microbatch_size_(microbatch_size) {}

  const std::optional<Profile>& GetProfile() const { return profile_; }
  double MicrobatchSize() const { return microbatch_size_; }

  /// Costs of every stage of `schedule` for micro-batches of `factor` times the given size. Throws
  /// `CommandFailure` (usage).
  Costs For(const Schedule& schedule, std::int32_t factor = 1) const;

  /// The same, where the flags' values are those of `parts` parts of the model: what a schedule
  /// that cuts it into another number of stages gets, split or added up. Boundaries stay as they
  /// are.
  Costs ForParts(const Schedule& schedule, std::int32_t parts, std::int32_t factor = 1) const;

  /// Whether there is any duration.
  bool HasDurations() const;

 private:
  Costs FromProfile(std::int32_t stages, std::int32_t factor) const;

  InlineCosts inline_;
  std::optional<Profile> profile_;
  double microbatch_size_ = 1;
};

/// The value, its warnings printed; without one, `CommandFailure` (usage) with all diagnostics.
template <typename T>
T ValueOrUsage(Result<T> result) {
  if (!result.value) {
    throw CommandFailure(ExitCode::kUsage, std::move(result.diagnostics));
  }
  PrintDiagnostics(result.diagnostics);
  return *std::move(result.value);
}

}  // namespace stagecraft
