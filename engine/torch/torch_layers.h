#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "engine/model/layer.h"

namespace stagecraft {

/// What the layers of one forward have in common.
struct ForwardPass {
  bool training = true;           ///< If not, gathered statistics are used and nothing is dropped.
  bool gather_statistics = true;  ///< Whether batch norms update theirs: not in a recompute.
  std::uint64_t seed = 0;         ///< With the two below it fixes what dropout drops.
  std::int64_t first_layer = 0;   ///< Index of the first layer in the whole model.
  std::int64_t microbatch = 0;
};

/// A layer of torch.nn.LSTM, batch first and from a zero state, step by step: on a GPU at::lstm
/// would copy the weights into a buffer of cuDNN's at the forward, and its backward would not read
/// the version that is bound then. x: [batch, length, in]; weights: [4 out, in], [4 out, out] and
/// two biases [4 out]; returns [batch, length, out].
at::Tensor LstmByCells(const at::Tensor& x, std::span<const at::Tensor, 4> weights);

/// Runs `layers` one after the other. `parameters` and `statistics` are those of all layers, in the
/// order of `ParametersOf` and `BuffersOf`.
at::Tensor RunLayers(const std::vector<Layer>& layers, at::Tensor x,
                     std::span<const at::Tensor> parameters, std::span<const at::Tensor> statistics,
                     const ForwardPass& pass);

}  // namespace stagecraft
