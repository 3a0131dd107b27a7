#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "schedules/op.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "tools/arguments/idle_flag.h"
#include "traces/costs.h"

namespace stagecraft {

/// A flag that gives the duration of one kind of op.
struct DurationFlag {
  const char* flag;                 ///< Such as `--forward`.
  Nanoseconds StageCosts::*member;  ///< What the flag sets.
  const char* description;  ///< The text for the help; in brackets what holds without the flag.
  bool scales;              ///< Whether it grows with the size of a micro-batch.
};

/// A flag that gives the size, in bytes, of something that a stage has.
struct SizeFlag {
  const char* flag;
  std::int64_t StageSizes::*member;
  const char* description;
  bool scales;  ///< As in `DurationFlag`.
};

/// In the order of `InlineCosts::Duration`. In brackets: what holds if the flag is not given.
inline constexpr std::array<DurationFlag, 8> kDurationFlags = {{
    {"--forward", &StageCosts::forward, "F: forward of one micro-batch [B / 2]", true},
    {"--backward", &StageCosts::backward, "B: full backward of one micro-batch [I + W, else 2 F]",
     true},
    {"--backward-input", &StageCosts::backward_input, "I: backward for the input [B - W, else W]",
     true},
    {"--backward-weight", &StageCosts::backward_weight,
     "W: backward for the weights [B - I, else I]", true},
    {"--recompute", &StageCosts::recompute, "R: forward once more [F]", true},
    {"--step", &StageCosts::step, "S: optimizer step [0]", false},
    {"--predict", &StageCosts::predict, "P: weight prediction [0]", false},
    {"--allreduce", &StageCosts::allreduce, "A: all-reduce of the gradients [0]", false},
}};

/// In the order of `InlineCosts::Size`.
inline constexpr std::array<SizeFlag, 4> kSizeFlags = {{
    {"--boundary", &StageSizes::output_bytes, "a stage's output, per micro-batch [0]", true},
    {"--activation", &StageSizes::activation_bytes, "kept for the backward, per micro-batch [0]",
     true},
    {"--parameters", &StageSizes::parameter_bytes, "one copy of a stage's weights [0]", false},
    {"--released", &StageSizes::released_by_backward_input,
     "part of --activation that an I gives back [0]", true},
}};

/// Costs from flags: of each flag one value for all stages or one per stage; empty if not given.
struct InlineCosts {
  /// Positions in `kDurationFlags`, by the letter of the op, and in `kSizeFlags`.
  enum Duration : std::size_t { kF, kB, kI, kW, kR, kS, kP, kA };
  enum Size : std::size_t { kBoundary, kActivation, kParameters, kReleased };

  std::array<Table<Nanoseconds>, kDurationFlags.size()> durations;  ///< By `Duration`.
  std::array<Table<std::int64_t>, kSizeFlags.size()> sizes;         ///< Sizes in bytes, by `Size`.
  Table<Nanoseconds> joined;  ///< Durations of cells of ops that run together.

  bool Has(Duration i) const { return !durations[i].empty(); }
  bool Has(Size i) const { return !sizes[i].empty(); }
  bool AnyDuration() const;  ///< Whether any duration is given, `joined` included.
  bool AnySize() const;      ///< Whether any list of sizes is given.
};

/// Replaces what `costs` (one entry per stage) says by what is given, `factor` times where it
/// belongs to a micro-batch, and fills in what follows from it. Without a profile the rest is
/// derived: a backward takes twice the forward, each half of it half. Throws `CommandFailure`
/// (usage) if a list is of another length, or a value is out of range.
void ApplyInline(const InlineCosts& given, std::int32_t factor, bool has_profile,
                 Table<StageCosts>& costs);

/// Flags whose values are for one p-th of the model each, as values per stage of `schedule`.
struct SharedOut {
  InlineCosts costs;       ///< Values per stage, where they could be shared out.
  bool any = false;        ///< Any value was split or added up.
  bool per_stage = false;  ///< Any list had one value per stage already, and stays as it is.
};

/// Shares each value out over the stages that a rank holds, to the nanosecond; where stages have
/// replicas, over the stages of its part of the model, or those of a stage's parts are added up.
/// Boundaries stay as they are. `parts` is p.
///
///   F 9 ns per rank, p = 2, four stages:   rank 0   stage 0: 4 ns, stage 2: 5 ns
///                                          rank 1   stage 1: 4 ns, stage 3: 5 ns
SharedOut ShareOut(const InlineCosts& given, const Schedule& schedule, std::int32_t parts);

/// One sentence per derivation that a schedule with these kinds of ops rests on.
std::vector<std::string> DerivedFromInline(const InlineCosts& given, OpKinds used,
                                           bool has_profile);

/// Flags that were given although nothing in `schedule` depends on them, and why that is so, such
/// as `there is no all-reduce (A)`.
std::vector<IdleFlag> IdleFlags(const InlineCosts& given, const Schedule& schedule);

}  // namespace stagecraft
