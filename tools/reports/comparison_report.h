#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tools/runs/comparison.h"

namespace stagecraft {

/// The settings in a sentence or two, the table, where layers were cut, and notes on derived costs.
std::string ComparisonToMarkdown(const Comparison& comparison);

/// A header, then one line per approach; the names of the columns have the units.
std::string ComparisonToCsv(const Comparison& comparison);

/// See `compare.schema.json`. Also what `--baseline` reads.
nlohmann::ordered_json ComparisonToJson(const Comparison& comparison);

}  // namespace stagecraft
