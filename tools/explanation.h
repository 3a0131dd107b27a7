#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/critical_path.h"
#include "tools/simulated_run.h"

namespace stagecraft {

/// A cost on the critical path, and what simulating it 10 % lower gave.
struct Remedy {
  Sensitivity cost;       ///< For transfers the sum over all of them; the kind is kSendForward.
  Nanoseconds before{0};  ///< Makespan as it is.
  Nanoseconds after{0};   ///< Makespan with this cost reduced.
};

/// The textbook estimate (m + p - 1) t per batch, t the forward and backward of the slowest rank.
struct NaiveEstimate {
  std::int64_t microbatches = 0;  ///< m
  std::int64_t batches = 0;
  Nanoseconds slowest{0};  ///< t
  Nanoseconds makespan{0};
  double bubble = 0;  ///< (p - 1) / (m + p - 1)
};

/// Why a run takes as long as it does.
struct Explanation {
  std::vector<CriticalStep> path;
  std::vector<Sensitivity> costs;      ///< On the path, the largest total first.
  std::vector<Remedy> remedies;        ///< Of the largest costs, the most helpful first.
  std::optional<NaiveEstimate> naive;  ///< Nothing where stages are replicated.
};

Explanation Explain(const SimulatedRun& run, Progress& progress);

/// What `explain` prints.
std::string ExplanationToText(const SimulatedRun& run, const Explanation& explanation);

}  // namespace stagecraft
