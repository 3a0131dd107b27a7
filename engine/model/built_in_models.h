#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/layer.h"

namespace stagecraft {

// Models by their sizes, as lists of units: layers that stay together when a model is cut.

struct MlpSizes {
  std::int64_t inputs = 1;
  std::int64_t width = 64;
  std::int64_t depth = 3;  ///< How many hidden layers.
  std::int64_t outputs = 1;
  bool flattens = false;  ///< Whether samples have more than one extent.
};

/// `depth` units of linear and relu, then a linear one.
std::vector<std::vector<Layer>> MlpUnits(const MlpSizes& sizes);

struct ConvnetSizes {
  std::int64_t channels = 1;
  std::int64_t width = 16;  ///< Channels of the residual units.
  std::int64_t blocks = 3;
  std::int64_t classes = 1;
};

/// A convolution with batch norm and relu; `blocks` residual units of two convolutions with batch
/// norm; the mean over the image and a linear layer. The size of the image does not matter.
std::vector<std::vector<Layer>> ConvnetUnits(const ConvnetSizes& sizes);

struct GptSizes {
  std::int64_t vocabulary = 1;
  std::int64_t length = 1;
  std::int64_t width = 64;  ///< A multiple of `heads`.
  std::int64_t heads = 4;
  std::int64_t blocks = 2;
};

/// Decoder only: embedding and positions; `blocks` of attention and a network four times as wide,
/// each behind a layer norm and around a shortcut; a layer norm and a linear layer.
std::vector<std::vector<Layer>> GptUnits(const GptSizes& sizes);

}  // namespace stagecraft
