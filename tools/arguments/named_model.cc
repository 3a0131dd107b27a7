#include "tools/arguments/named_model.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "engine/model/built_in_models.h"
#include "schedules/closest.h"
#include "tools/command.h"

namespace stagecraft {

bool IsModelFile(const std::string& model) {
  return model.ends_with(".json") || model.find('/') != std::string::npos;
}

void CheckModelName(const std::string& model) {
  const std::vector<std::string_view> names{"mlp", "convnet", "gpt"};
  if (IsModelFile(model) || std::find(names.begin(), names.end(), model) != names.end()) {
    return;
  }
  throw CommandFailure(
      ExitCode::kUsage, "--model",
      fmt::format(
          "expected mlp, convnet, gpt or a model file *.json, as engine/model/model_file.h says, "
          "got '{}'{}",
          model, DidYouMean(model, names)));
}

std::vector<std::vector<Layer>> UnitsOfNamed(const NamedModel& model, const TrainingData& data) {
  constexpr std::int32_t kWidth = 64;
  constexpr std::int32_t kConvnetWidth = 16;
  constexpr std::int32_t kDepth[] = {3, 3, 4};  // Layers or blocks of mlp, convnet and gpt.

  if (model.name == "convnet") {
    return ConvnetUnits({.channels = data.sample.front(),
                         .width = model.width.value_or(kConvnetWidth),
                         .blocks = model.depth.value_or(kDepth[1]),
                         .classes = data.outputs});
  }

  if (model.name == "gpt") {
    return GptUnits({.vocabulary = data.outputs,
                     .length = data.sample.front(),
                     .width = model.width.value_or(kWidth),
                     .heads = model.heads.value_or(4),
                     .blocks = model.depth.value_or(kDepth[2])});
  }

  return MlpUnits({.inputs = Elements(data.sample),
                   .width = model.width.value_or(kWidth),
                   .depth = model.depth.value_or(kDepth[0]),
                   .outputs = data.outputs,
                   .flattens = data.sample.size() > 1});
}

}  // namespace stagecraft
