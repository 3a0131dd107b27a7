#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "traces/costs.h"

namespace stagecraft {

/// Which layers of the profile each stage has, with times and sizes of a micro-batch: what cut them
/// there, then a row per stage; of ready stages their names. Empty without a profile.
std::string CutToText(const Costs& costs);

/// The same as an array with an object per stage; null if no profile was cut, but its stages were
/// ready.
nlohmann::ordered_json CutToJson(const Costs& costs);

}  // namespace stagecraft
