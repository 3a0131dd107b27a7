#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "schedules/schedule.h"
#include "tools/terminal.h"
#include "traces/costs.h"
#include "traces/timeline_difference.h"

namespace stagecraft {

/// What runs the ranks of a rehearsal.
enum class Workers : std::uint8_t { kThreads, kProcesses };

/// One schedule, predicted and then run several times.
struct Validation {
  Schedule lowered;
  Costs costs;
  Workers workers = Workers::kThreads;
  std::vector<TimelineDifference> runs;  ///< Ascending error of the makespan; at least one.

  const TimelineDifference& Median() const { return runs[(runs.size() - 1) / 2]; }
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

/// The same for programs; see tools/validate.schema.json.
nlohmann::ordered_json ValidationToJson(const Validation& validation);

}  // namespace stagecraft
