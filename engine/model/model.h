#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/layer.h"
#include "schedules/tables.h"

namespace stagecraft {

/// A model cut into stages, each a list of layers that run one after the other.
struct Model {
  std::string name;
  Table<std::vector<Layer>> stages;
};

/// A parameter, or a running statistic, in the flat buffer of its stage.
struct PlacedParameter {
  std::string name;  ///< `stage<k>.<layer index>.<name>`; the index counts within the stage.
  TensorShape shape;
  Initialiser initialiser;
  std::int64_t offset = 0;  ///< In elements; a multiple of `kParameterAlignment`.
};

inline constexpr std::int64_t kParameterAlignment = 16;

/// Where each parameter and running statistic of a stage is.
struct StageLayout {
  std::vector<PlacedParameter> parameters;  ///< In the order in which the layers use them.
  std::int64_t elements = 0;                ///< Size of the buffer of parameters, gaps included.
  std::vector<PlacedParameter> buffers;     ///< Running statistics, in a buffer of their own.
  std::int64_t buffer_elements = 0;
};

StageLayout LayoutOf(const Model& model, std::int32_t stage);

/// Index of the stage's first layer in the whole model.
std::int64_t FirstLayerOf(const Model& model, std::int32_t stage);

/// How many parameters all stages have, without gaps.
std::int64_t ParameterCount(const Model& model);

/// Shape of one sample at the input of every stage and at the output of the last, without the
/// extent of the micro-batch. Throws `Error` that names the stage and layer that does not fit.
std::vector<TensorShape> StageInputs(const Model& model, const TensorShape& sample);

}  // namespace stagecraft
