#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include "engine/model/model.h"
#include "engine/torch/torch_layers.h"

namespace stagecraft::test {

/// Layers to try a property of every kind of layer on.
struct LayerCase {
  std::string name;
  std::vector<Layer> layers;
  TensorShape input;
  bool is_tokens = false;  ///< The input are whole numbers below 7.
  bool is_tied = false;    ///< Runs the layers twice, with the same parameters.
};

inline std::vector<LayerCase> LayerCases() {
  using enum LayerKind;
  return {
      {"linear 2-D", {MakeLayer(kLinear, {5, 4})}, {3, 5}},
      {"linear 3-D", {MakeLayer(kLinear, {5, 4})}, {3, 6, 5}},
      {"conv2d", {MakeLayer(kConv2d, {2, 3, 3, 1, 1})}, {3, 2, 6, 6}},
      {"batchnorm2d", {MakeLayer(kBatchNorm2d, {2})}, {3, 2, 4, 4}},
      {"layernorm", {MakeLayer(kLayerNorm, {5})}, {3, 5}},
      {"embedding", {MakeLayer(kEmbedding, {7, 5})}, {3, 4}, true},
      {"position", {MakeLayer(kPosition, {6, 5})}, {3, 4, 5}},
      {"lstm", {MakeLayer(kLstm, {5, 4})}, {3, 6, 5}},
      {"attention", {MakeLayer(kAttention, {6, 2})}, {3, 4, 6}},
      {"tied", {MakeLayer(kLinear, {5, 5}), MakeLayer(kTanh)}, {3, 5}, false, true},
      {"deep",
       {MakeLayer(kLinear, {5, 5}), MakeLayer(kRelu), MakeLayer(kLinear, {5, 5}),
        MakeLayer(kLayerNorm, {5}),
        MakeResidual({MakeLayer(kLinear, {5, 5}), MakeLayer(kGelu), MakeLayer(kDropout, {0.5})})},
       {3, 5}},
      {"deep conv2d",
       {MakeLayer(kConv2d, {2, 3, 3, 1, 1, 0}), MakeLayer(kBatchNorm2d, {3}), MakeLayer(kRelu),
        MakeResidual({MakeLayer(kConv2d, {3, 3, 3, 1, 1}), MakeLayer(kTanh)}),
        MakeLayer(kMeanPool2d), MakeLayer(kLinear, {3, 4})},
       {3, 2, 6, 6}},
  };
}

inline StageLayout LayoutOf(const LayerCase& each) {
  return LayoutOf(Model{each.name, {each.layers}}, 0);
}

inline at::Generator Generator(std::uint64_t seed) {
  return at::detail::createCPUGenerator(seed);
}

inline at::Tensor InputFor(const LayerCase& each) {
  return each.is_tokens ? at::randint(7, each.input, Generator(1), at::kLong)
                        : at::randn(each.input, Generator(1));
}

/// Running statistics: zeros and ones.
inline std::vector<at::Tensor> StatisticsFor(const LayerCase& each) {
  std::vector<at::Tensor> statistics;
  for (const PlacedParameter& buffer : LayoutOf(each).buffers) {
    statistics.push_back(at::randn(buffer.shape, Generator(2)).abs());
  }
  return statistics;
}

inline at::Tensor RunCase(const LayerCase& each, const at::Tensor& input,
                          std::span<const at::Tensor> parameters) {
  const std::vector<at::Tensor> statistics = StatisticsFor(each);
  at::Tensor output = RunLayers(each.layers, input, parameters, statistics, {});
  return each.is_tied ? RunLayers(each.layers, output, parameters, statistics, {}) : output;
}

/// Leaves of their own with values that `seed` fixes.
inline std::vector<at::Tensor> LeavesFor(const LayerCase& each, std::uint64_t seed) {
  std::vector<at::Tensor> leaves;
  for (const PlacedParameter& parameter : LayoutOf(each).parameters) {
    leaves.push_back(at::randn(parameter.shape, Generator(seed++)).requires_grad_());
  }
  return leaves;
}

/// To the bit.
inline bool AllEqual(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& x, const at::Tensor& y) { return at::equal(x, y); });
}

}  // namespace stagecraft::test
