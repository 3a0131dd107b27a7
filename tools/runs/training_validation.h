#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tools/arguments/training_arguments.h"
#include "tools/runs/training_run.h"
#include "tools/runs/validation.h"

namespace stagecraft {

/// How often and from what a training is predicted.
struct TrainingValidationOptions {
  Workers workers = Workers::kThreads;  ///< Whether ranks are threads or processes.
  std::int32_t runs = 5;                ///< How often it is run; the median is reported.
  bool alternates = false;              ///< Costs and prediction take turns, from drain to drain.
};

/// Trains several times, and predicts part of each run from the rest of it: the simulator, given
/// mean costs of each kind of op, the median time that passes between ops (`Delays`), and what ops
/// of unequal length add to the means, as measured there. Each run is cut where the pipeline is
/// empty, at half of its micro-batches: costs are the means over the first half (but for its first
/// quarter, in which caches and memory warm up), the prediction and what it is compared with are of
/// the second half.
///
///   measured   |warm|  costs from here  |  compared with the prediction  |
///                                       ^ a drain
///
/// Or, so that a machine that drifts counts on both sides: costs from every other stretch between
/// two drains (but for the first, if there are four), the prediction of those in between.
///
/// Throws `CommandFailure`: usage if the schedule cannot be cut, failed if a run fails.
Validation ValidateTraining(const GivenTraining& given, const Schedule& lowered,
                            const TrainingValidationOptions& options, Progress& progress);

}  // namespace stagecraft
