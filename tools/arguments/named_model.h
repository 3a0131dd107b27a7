#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/layer.h"
#include "tools/arguments/training_data.h"

namespace stagecraft {

/// Whether the value of `--model` means a file: it ends in `.json` or contains a '/'.
bool IsModelFile(const std::string& model);

/// Throws `CommandFailure` (usage) if `model` is neither a file nor one of the models that have a
/// name.
void CheckModelName(const std::string& model);

/// A model that has a name, with the sizes that were given.
struct NamedModel {
  std::string name;                                 ///< `mlp`, `convnet` or `gpt`.
  std::optional<std::int32_t> width, depth, heads;  ///< Nullopt: the model's default.
};

/// The units of the model for these data. A unit is the layers that stay together in any cut.
std::vector<std::vector<Layer>> UnitsOfNamed(const NamedModel& model, const TrainingData& data);

}  // namespace stagecraft
