#pragma once

#include <vector>

#include "schedules/activations.h"
#include "tools/arguments/training_arguments.h"
#include "traces/layer_profile.h"

namespace stagecraft {

/// What the model says of the sizes of its stages, for one micro-batch. Activations are the outputs
/// of all layers, the rule for whoever has measured none.
std::vector<StageSizes> SizesOfStages(const GivenTraining& given);

/// Measured costs of the stages of a model, with what the model says of sizes.
Profile MeasuredProfile(const GivenTraining& given, std::vector<ProfileLayer> stages);

}  // namespace stagecraft
