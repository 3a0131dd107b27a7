#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/critical_path.h"
#include "sim/remedies.h"
#include "sim/textbook_estimate.h"
#include "tools/runs/simulated_run.h"

namespace stagecraft {

/// Why a run takes as long as it does.
struct Explanation {
  std::vector<CriticalStep> path;  ///< The critical path, from the start of the run to its end.
  std::vector<Sensitivity> costs;  ///< Costs on the path, the largest total first.
  std::vector<Remedy> remedies;  ///< Remedies, one for every single figure, the most helpful first.
  std::optional<TextbookEstimate> naive;  ///< Nullopt where stages are replicated.
};

/// Follows the critical path of `run`, and tries every remedy by itself.
Explanation Explain(const SimulatedRun& run, Progress& progress);

/// What `explain` prints.
std::string ExplanationToText(const SimulatedRun& run, const Explanation& explanation);

}  // namespace stagecraft
