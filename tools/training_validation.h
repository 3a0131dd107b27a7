#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tools/training_arguments.h"
#include "tools/training_run.h"
#include "tools/validation.h"

namespace stagecraft {

/// Trains several times. Each run is cut where the pipeline is empty, at half of its micro-batches:
/// costs are the means over the first half (but for its first quarter, in which caches and memory
/// warm up), the prediction and what it is compared with are of the second half.
///
///   measured   |warm|  costs from here  |  compared with the prediction  |
///                                       ^ a drain
///
/// Throws `CommandFailure`: usage if the schedule cannot be cut, failed if a run fails.
Validation ValidateTraining(const GivenTraining& given, Schedule lowered,
                            const RehearsalOptions& options, Progress& progress);

}  // namespace stagecraft
