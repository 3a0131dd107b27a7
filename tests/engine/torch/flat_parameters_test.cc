#include "engine/torch/flat_parameters.h"

#include <cstring>

#include <ATen/ops/ones_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/engine/torch/layer_cases.h"

namespace stagecraft {
namespace {

using test::LayerCase;

WeightStore StoreFor(const StageLayout& layout) {
  return WeightStore({.elements = layout.elements, .needs = {.slots = 2}});
}

/// Puts the values of `leaves` into a slot.
void Fill(WeightStore& store, std::int32_t slot, const StageLayout& layout,
          const std::vector<at::Tensor>& leaves) {
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    std::memcpy(store.Slot(slot) + layout.parameters[i].offset * 4, leaves[i].data_ptr(),
                leaves[i].nbytes());
  }
}

/// Output, gradient of the input, gradients of the parameters.
std::vector<at::Tensor> Collect(const at::Tensor& output, const at::Tensor& input,
                                std::span<const at::Tensor> leaves) {
  std::vector<at::Tensor> all{output.detach()};
  if (input.requires_grad()) {
    all.push_back(input.grad());
  }
  for (const at::Tensor& leaf : leaves) {
    all.push_back(leaf.grad());
  }
  return all;
}

/// A forward with the version in slot 0, then a backward with `backward_slot`.
std::vector<at::Tensor> BySlots(const LayerCase& each, std::int32_t backward_slot) {
  const StageLayout layout = test::LayoutOf(each);
  WeightStore store = StoreFor(layout);
  Fill(store, 0, layout, test::LeavesFor(each, 100));
  Fill(store, 1, layout, test::LeavesFor(each, 200));
  FlatParameters parameters(layout.parameters, store, at::TensorOptions(at::kFloat));
  at::Tensor input = test::InputFor(each);
  input.set_requires_grad(!each.is_tokens);
  parameters.Bind(0);
  const at::Tensor output = test::RunCase(each, input, parameters.Leaves());
  parameters.Bind(backward_slot);
  torch::autograd::backward({output}, {at::randn(output.sizes(), test::Generator(3))});
  std::vector<at::Tensor> all = Collect(output, input, parameters.Leaves());
  for (at::Tensor& tensor : all) {
    tensor = tensor.clone();  // The store goes.
  }
  return all;
}

/// The same by copying the other version into the parameters' own memory.
std::vector<at::Tensor> ByCopy(const LayerCase& each) {
  const std::vector<at::Tensor> leaves = test::LeavesFor(each, 100);
  const std::vector<at::Tensor> other = test::LeavesFor(each, 200);
  at::Tensor input = test::InputFor(each);
  input.set_requires_grad(!each.is_tokens);
  const at::Tensor output = test::RunCase(each, input, leaves);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    std::memcpy(leaves[i].data_ptr(), other[i].data_ptr(), leaves[i].nbytes());
  }
  torch::autograd::backward({output}, {at::randn(output.sizes(), test::Generator(3))});
  return Collect(output, input, leaves);
}

TEST(FlatParameters, ABackwardReadsTheVersionThatIsBoundThen) {
  for (const LayerCase& each : test::LayerCases()) {
    EXPECT_TRUE(test::AllEqual(BySlots(each, 1), ByCopy(each))) << each.name;
  }
}

TEST(FlatParameters, TheVersionOfABackwardMatters) {
  for (const LayerCase& each : test::LayerCases()) {
    // A single embedding, position or norm without a next layer: its weights are in no gradient but
    // a norm's input's.
    if (each.name != "embedding" && each.name != "position") {
      EXPECT_FALSE(test::AllEqual(BySlots(each, 1), BySlots(each, 0))) << each.name;
    }
  }
}

TEST(FlatParameters, GradientsAddUpInTheStore) {
  const LayerCase each = test::LayerCases().front();
  const StageLayout layout = test::LayoutOf(each);
  WeightStore store = StoreFor(layout);
  Fill(store, 0, layout, test::LeavesFor(each, 100));
  FlatParameters parameters(layout.parameters, store, at::TensorOptions(at::kFloat));
  const at::Tensor input = test::InputFor(each);
  for (int time = 0; time < 2; ++time) {
    const at::Tensor output = test::RunCase(each, input, parameters.Leaves());
    torch::autograd::backward({output}, {at::ones_like(output)});
  }
  const float* const gradient = reinterpret_cast<const float*>(store.GradientData());
  const PlacedParameter& bias = layout.parameters[1];
  for (std::int64_t i = 0; i < Elements(bias.shape); ++i) {
    EXPECT_EQ(gradient[bias.offset + i], 6.0F);  // Three samples, twice.
  }
}

}  // namespace
}  // namespace stagecraft
