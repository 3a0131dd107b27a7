#pragma once

#include <string>
#include <vector>

#include "engine/snapshot.h"
#include "engine/training.h"
#include "engine/training_plan.h"
#include "schedules/diagnostic.h"
#include "tools/arguments/training_arguments.h"

namespace stagecraft {

/// The snapshot in `file`, with the state beside it if there is one. Adds to `warnings` what is to
/// be said of it. Throws `CommandFailure` (usage) if it cannot be read.
Snapshot LoadSnapshot(const std::string& file, std::vector<Diagnostic>& warnings);

/// Makes `snapshot`, out of `file`, one of the stages and of the epochs of `given`. Adds to
/// `warnings` what cannot be taken over. Throws `CommandFailure` (usage) if it is of another model.
void FitSnapshot(Snapshot& snapshot, const GivenTraining& given, const std::string& file,
                 std::vector<Diagnostic>& warnings);

/// Gives `snapshot`, fitted as above, what `plan` needs of its state; the same in all else.
void FitSnapshotState(Snapshot& snapshot, const TrainingPlan& plan, const TrainingTask& task,
                      const std::string& file, std::vector<Diagnostic>& warnings);

}  // namespace stagecraft
