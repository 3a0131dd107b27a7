// A module of torch's own on versioned weights: MultiheadAttention, which is no layer of ours.

#include <cstring>
#include <span>
#include <vector>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/activation.h>

#include "engine/torch/flat_parameters.h"
#include "tests/engine/torch/layer_cases.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kDim = 8, kHeads = 2, kLength = 5, kBatch = 3;

/// In the order in which `UseLeaves` takes them.
std::vector<PlacedParameter> AttentionParameters() {
  std::vector<PlacedParameter> parameters;
  std::int64_t offset = 0;
  for (const TensorShape& shape : {TensorShape{3 * kDim, kDim}, TensorShape{3 * kDim},
                                   TensorShape{kDim, kDim}, TensorShape{kDim}}) {
    PlacedParameter& parameter = parameters.emplace_back();
    parameter.shape = shape;
    parameter.offset = offset;
    offset +=
        (Elements(shape) + kParameterAlignment - 1) / kParameterAlignment * kParameterAlignment;
  }
  return parameters;
}

std::int64_t ElementsOf(const std::vector<PlacedParameter>& parameters) {
  return parameters.back().offset + Elements(parameters.back().shape);
}

torch::nn::MultiheadAttention UseLeaves(std::span<const at::Tensor> leaves) {
  torch::nn::MultiheadAttention module(
      torch::nn::MultiheadAttentionOptions(kDim, kHeads).dropout(0));
  module->in_proj_weight = leaves[0];
  module->in_proj_bias = leaves[1];
  module->out_proj->weight = leaves[2];
  module->out_proj->bias = leaves[3];
  return module;
}

at::Tensor Values(std::uint64_t seed) {
  return at::randn({ElementsOf(AttentionParameters())}, test::Generator(seed));
}

/// Gradients of the input and of the parameters, by a forward at one version and, if `change` does
/// so, a backward at another.
template <typename Change>
std::vector<at::Tensor> Gradients(std::span<const at::Tensor> leaves, const Change& change) {
  torch::nn::MultiheadAttention module = UseLeaves(leaves);
  const at::Tensor input = at::randn({kLength, kBatch, kDim}, test::Generator(7)).requires_grad_();
  const at::Tensor output = std::get<0>(module->forward(input, input, input));
  change();
  torch::autograd::backward({output}, {at::ones_like(output)});
  std::vector<at::Tensor> all{output.detach().clone(), input.grad().clone()};
  for (const at::Tensor& leaf : leaves) {
    all.push_back(leaf.grad().clone());
  }
  return all;
}

std::vector<at::Tensor> BySlots(std::int32_t backward_slot) {
  const std::vector<PlacedParameter> parameters = AttentionParameters();
  WeightStore store({.elements = ElementsOf(parameters), .needs = {.slots = 2}});
  for (std::int32_t slot = 0; slot < 2; ++slot) {
    const at::Tensor values = Values(static_cast<std::uint64_t>(slot));
    std::memcpy(store.Slot(slot), values.data_ptr(), values.nbytes());
  }
  FlatParameters flat(parameters, store, at::TensorOptions(at::kFloat));
  flat.Bind(0);
  return Gradients(flat.Leaves(), [&] { flat.Bind(backward_slot); });
}

/// The same by copying the other version into the parameters' own memory.
std::vector<at::Tensor> ByCopy() {
  const at::Tensor values = Values(0);
  const at::Tensor other = Values(1);
  std::vector<at::Tensor> leaves;
  const std::vector<PlacedParameter> parameters = AttentionParameters();
  for (const PlacedParameter& parameter : parameters) {
    leaves.push_back(values.narrow(0, parameter.offset, Elements(parameter.shape))
                         .reshape(parameter.shape)
                         .clone()
                         .requires_grad_());
  }
  return Gradients(leaves, [&] {
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      std::memcpy(leaves[i].data_ptr(), other.data_ptr<float>() + parameters[i].offset,
                  leaves[i].nbytes());
    }
  });
}

TEST(TorchModule, MultiheadAttentionReadsTheVersionThatIsBound) {
  EXPECT_TRUE(test::AllEqual(BySlots(1), ByCopy()));
  EXPECT_FALSE(test::AllEqual(BySlots(0), ByCopy()));
}

}  // namespace
}  // namespace stagecraft
