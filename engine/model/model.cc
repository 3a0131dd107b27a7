#include "engine/model/model.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

/// Puts `tensors` of one layer behind what is there; returns the elements so far.
std::int64_t Place(std::vector<Parameter> tensors, const std::string& prefix, std::int64_t elements,
                   std::vector<PlacedParameter>& placed) {
  for (Parameter& tensor : tensors) {
    const std::int64_t size = Elements(tensor.shape);
    placed.push_back({prefix + tensor.name, std::move(tensor.shape), tensor.initialiser, elements});
    elements += (size + kParameterAlignment - 1) / kParameterAlignment * kParameterAlignment;
  }
  return elements;
}

}  // namespace

StageLayout LayoutOf(const Model& model, std::int32_t stage) {
  StageLayout layout;
  const std::vector<Layer>& layers = model.stages[stage];
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string prefix = fmt::format("stage{}.{}.", stage, i);
    layout.elements = Place(ParametersOf(layers[i]), prefix, layout.elements, layout.parameters);
    layout.buffer_elements =
        Place(BuffersOf(layers[i]), prefix, layout.buffer_elements, layout.buffers);
  }
  return layout;
}

std::int64_t FirstLayerOf(const Model& model, std::int32_t stage) {
  std::int64_t first = 0;
  for (std::int32_t before = 0; before < stage; ++before) {
    first += static_cast<std::int64_t>(model.stages[before].size());
  }
  return first;
}

std::int64_t ParameterCount(const Model& model) {
  std::int64_t count = 0;
  for (std::size_t stage = 0; stage < model.stages.size(); ++stage) {
    for (const PlacedParameter& parameter :
         LayoutOf(model, static_cast<std::int32_t>(stage)).parameters) {
      count += Elements(parameter.shape);
    }
  }
  return count;
}

std::vector<TensorShape> StageInputs(const Model& model, const TensorShape& sample) {
  TensorShape shape = sample;
  shape.insert(shape.begin(), 1);
  std::vector<TensorShape> inputs{sample};

  for (std::size_t stage = 0; stage < model.stages.size(); ++stage) {
    const std::vector<Layer>& layers = model.stages[stage];
    for (std::size_t i = 0; i < layers.size(); ++i) {
      try {
        shape = OutputShape(layers[i], shape);
      } catch (const Error& error) {
        throw Error(fmt::format("stage {}, layer {}: {}", stage, i, error.what()));
      }
    }
    inputs.emplace_back(shape.begin() + 1, shape.end());
  }
  return inputs;
}

}  // namespace stagecraft
