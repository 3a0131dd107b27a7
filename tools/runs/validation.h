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
  Delays delays;                 ///< Part of the prediction, from where the costs are.
  double jitter = 0;             ///< Likewise: what ops of unequal length add to their means.
  Nanoseconds replayed{0};       ///< Makespan with the durations of the same run, and `delays`.
  Nanoseconds naive{0};          ///< By the formula (m + p - 1) (F + B) of the slowest stage.
  std::int64_t reads = 0;        ///< Ops that read weights.
  std::int64_t wrong_reads = 0;  ///< Those that found another version than the schedule says.
};

/// One schedule, predicted and then run several times.
struct Validation {
  Schedule lowered;  ///< The ops that are compared; of a training, not all that were trained.
  Costs costs;       ///< Of a training: those of the median run.
  Workers workers = Workers::kThreads;
  std::vector<TimelineDifference> runs;  ///< Ascending error of the makespan; at least one.

  // Of a training only.
  std::vector<TrainingChecks> checks;   ///< Per run.
  std::vector<std::int32_t> staleness;  ///< Per stage.
  std::int32_t first_microbatch = 0;    ///< That the prediction is of.
  std::string compute;                  ///< What computed.
  std::optional<Divergence> diverged_at;
  bool alternates = false;  ///< It is of every other stretch between drains from there.

  std::size_t MedianIndex() const { return (runs.size() - 1) / 2; }
  const TimelineDifference& Median() const { return runs[MedianIndex()]; }
};

struct RehearsalOptions {
  Workers workers = Workers::kThreads;
  std::int32_t runs = 5;
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
