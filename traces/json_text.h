#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// What text that comes from outside must keep to before its JSON is read.
struct JsonLimits {
  std::size_t bytes = 0;
  int depth = 0;  ///< Objects and arrays inside each other.
};

/// Strict JSON into a tree. Unlike the library's own reading it refuses repeated keys, and
/// diagnostics have `file:line:column`, the source line and a caret. Never throws on bad text.
Result<nlohmann::json> ReadJson(std::string_view text, std::string_view file,
                                const JsonLimits& limits);

}  // namespace stagecraft
