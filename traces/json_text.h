#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// Limits on text that comes from outside, checked before its JSON is read.
struct JsonLimits {
  std::size_t bytes = 0;  ///< Length of the text.
  int depth = 0;          ///< Most objects and arrays inside each other.
};

/// Strict JSON into a tree. Unlike the library's own reading it refuses repeated keys and whatever
/// stands behind the end of the document, a NUL byte included; diagnostics have `file:line:column`,
/// the source line and a caret. Never throws on bad text.
Result<nlohmann::json> ReadJson(std::string_view text, std::string_view file,
                                const JsonLimits& limits);

/// The integer that `value` is; as for JSON Schema, `3200000.0` and `1e6` are integers. Nullopt for
/// what is none, or does not fit.
std::optional<std::int64_t> WholeNumber(const nlohmann::json& value);

}  // namespace stagecraft
