#pragma once

#include <string>
#include <string_view>

#include "engine/model/model.h"
#include "schedules/diagnostic.h"

namespace stagecraft {

/// A model out of a file like
///
///   {"format": "stagecraft-model", "version": 1, "name": "small",
///    "stages": [[{"linear": {"in": 16, "out": 32}}, "relu"],
///               [{"residual": ["relu", {"linear": {"in": 32, "out": 32}}]}]]}
///
/// Strict: each fault is named with its place; `file` is what diagnostics call the text. A layer
/// whose fields all have a standard may be written as its name alone. Residuals nest up to
/// `kMaxNesting` deep.
Result<Model> ReadModel(std::string_view text, std::string_view file);

inline constexpr int kMaxNesting = 8;

/// Writes the one text that a model has; reading it gives the model back.
std::string WriteModel(const Model& model);

}  // namespace stagecraft
