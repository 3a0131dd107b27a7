#pragma once

#include "tools/training_arguments.h"
#include "traces/layer_profile.h"
#include "traces/measured_stages.h"
#include "traces/timeline.h"

namespace stagecraft {

/// The costs of a recorded run with what the model says of sizes: a profile of ready stages.
Profile MeasuredProfile(const GivenTraining& given, const Schedule& schedule,
                        const Timeline& recorded, MicrobatchRange range);

}  // namespace stagecraft
