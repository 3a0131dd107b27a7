#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/training_job.h"
#include "schedules/schedule.h"
#include "sim/measured_replay.h"
#include "tools/runs/divergence.h"
#include "tools/terminal.h"
#include "traces/costs.h"
#include "traces/timeline_difference.h"

namespace stagecraft {

/// What else is known of one run of a real training.
struct TrainingChecks {
  Delays delays;      ///< Part of the prediction, measured where the costs are.
  double jitter = 0;  ///< What ops of unequal length add to the prediction, as a fraction of it.
  Nanoseconds replayed{0};       ///< Makespan with the durations of the same run, and `delays`.
  Nanoseconds naive{0};          ///< By the formula (m + p - 1) (F + B) of the slowest stage.
  std::int64_t reads = 0;        ///< Ops that read weights.
  std::int64_t wrong_reads = 0;  ///< Ops that found another version than the schedule says.
};

/// One schedule, predicted and then run several times.
struct Validation {
  Schedule lowered;  ///< The ops that are compared; of a training, not all that were trained.
  Costs costs;       ///< The costs; of a training those of the median run.
  Workers workers = Workers::kThreads;   ///< Whether ranks were threads or processes.
  std::vector<TimelineDifference> runs;  ///< By ascending error of the makespan; at least one.

  // Of a training only.
  std::vector<TrainingChecks> checks;     ///< One entry for each run.
  std::vector<std::int32_t> staleness;    ///< By stage; 0 where there is no steady state.
  std::int32_t first_microbatch = 0;      ///< The first one that is predicted.
  std::string compute;                    ///< What computed, as `DescribeCompute` says.
  std::optional<Divergence> diverged_at;  ///< Nullopt: all numbers were finite.
  bool alternates = false;  ///< Whether every second stretch between drains is predicted.

  /// The lower one of two in the middle.
  std::size_t MedianIndex() const { return (runs.size() - 1) / 2; }
  const TimelineDifference& Median() const { return runs[MedianIndex()]; }
};

/// How often and by what a schedule is rehearsed.
struct RehearsalOptions {
  Workers workers = Workers::kThreads;  ///< Whether ranks are threads or processes.
  std::int32_t runs = 5;                ///< How often it is run; the median is reported.
};

/// Runs the verified `lowered` several times with stages that take the time of `costs` and do
/// nothing else. Throws `CommandFailure` (failed) if a run fails.
Validation Rehearse(Schedule lowered, Costs costs, const RehearsalOptions& options,
                    Progress& progress);

/// Predicted against measured: the makespan, each rank, each kind of op.
std::string ValidationToText(const Validation& validation);

/// The same for programs; see tools/schemas/validate.schema.json.
nlohmann::ordered_json ValidationToJson(const Validation& validation);

}  // namespace stagecraft
