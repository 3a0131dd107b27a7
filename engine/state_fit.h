#pragma once

#include <string>
#include <vector>

#include "engine/snapshot.h"
#include "engine/training.h"
#include "engine/training_plan.h"

namespace stagecraft {

/// Gives `snapshot`, which is cut as the task's model, the buffers that only the predictions of the
/// plan's schedule need and that the run before, under another schedule, did not keep. They begin
/// as zeros, as at the start of a run; one warning says so.
///
/// Errors, before anything is trained, if the state lacks what the optimizer needs under every
/// schedule, or older versions that the schedule reads. Weights without a state lack nothing.
/// `file` is what diagnostics call the snapshot.
std::vector<Diagnostic> FitState(Snapshot& snapshot, const TrainingTask& task,
                                 const TrainingPlan& plan, const std::string& file);

}  // namespace stagecraft
