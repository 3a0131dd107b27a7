#pragma once

#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// Reads an earlier `compare --format json`. Errors if it is not one; never throws on bad text.
Result<nlohmann::ordered_json> ParseBaseline(std::string_view text, std::string_view file);

/// Every setting and simulated figure of `now` that is not exactly what `baseline` has, and every
/// approach that only one of them has: an error each. Empty if nothing changed. Both must have
/// the form of `ComparisonToJson`.
std::vector<Diagnostic> CompareWithBaseline(const nlohmann::ordered_json& baseline,
                                            const nlohmann::ordered_json& now,
                                            std::string_view file);

}  // namespace stagecraft
