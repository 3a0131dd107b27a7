#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/layer.h"
#include "tools/arguments/training_data.h"

namespace stagecraft {

/// Whether `--model` means a file.
bool IsModelFile(const std::string& model);

/// Throws `CommandFailure` (usage) if `model` is neither a file nor one of the models that have a
/// name.
void CheckModelName(const std::string& model);

/// A model that has a name, with the sizes that were given.
struct NamedModel {
  std::string name;  ///< mlp, convnet or gpt.
  std::optional<std::int32_t> width, depth, heads;
};

/// Its units, layers that stay together when it is cut, for these data.
std::vector<std::vector<Layer>> UnitsOfNamed(const NamedModel& model, const TrainingData& data);

}  // namespace stagecraft
