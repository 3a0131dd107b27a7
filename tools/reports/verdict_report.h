#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "schedules/progress.h"
#include "tools/runs/schedule_verdict.h"

namespace stagecraft {

/// A line of a report, and whether what it says is good.
struct VerdictLine {
  std::string head;  ///< `eager       `, so wide that the texts line up.
  std::string text;  ///< What it says.
  bool good = true;  ///< Decides its colour.
};

/// `3 errors: deadlock, send-order`: the rules that were broken.
std::string Summary(const std::vector<Diagnostic>& faults);

/// A line per send mode. Errors that have nothing to do with how sends wait are named once.
std::vector<VerdictLine> SendModeLines(const ScheduleVerdict& verdict);

/// Which limits are not kept. Requires that some are not.
VerdictLine LimitLine(const ScheduleVerdict& verdict);

/// What `check --json` prints: see `check.schema.json`.
nlohmann::ordered_json VerdictsToJson(const std::vector<ScheduleVerdict>& verdicts, SendMode send);

}  // namespace stagecraft
