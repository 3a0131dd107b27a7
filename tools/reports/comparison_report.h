#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tools/runs/comparison.h"

namespace stagecraft {

/// The settings in a sentence or two, the table, notes on derived costs.
std::string ComparisonToMarkdown(const Comparison& comparison);

/// One line per approach, units in the column names.
std::string ComparisonToCsv(const Comparison& comparison);

/// See `compare.schema.json`. Also what `--baseline` reads.
nlohmann::ordered_json ComparisonToJson(const Comparison& comparison);

}  // namespace stagecraft
