#include "engine/torch/split_backward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/engine/torch/layer_cases.h"

namespace stagecraft {
namespace {

using test::LayerCase;

/// Micro-batches whose gradients are added up.
constexpr int kMicrobatches = 3;

struct Gradients {
  std::vector<at::Tensor> inputs, parameters;
};

at::Tensor Input(const LayerCase& each, int microbatch) {
  return (test::InputFor(each) * (1 + microbatch)).requires_grad_();
}

at::Tensor OutputGradient(const at::Tensor& output, int microbatch) {
  return at::randn(output.sizes(), test::Generator(30 + static_cast<std::uint64_t>(microbatch)));
}

Gradients Whole(const LayerCase& each) {
  const std::vector<at::Tensor> leaves = test::LeavesFor(each, 100);
  Gradients gradients;
  for (int q = 0; q < kMicrobatches; ++q) {
    const at::Tensor input = Input(each, q);
    const at::Tensor output = test::RunCase(each, input, leaves);
    torch::autograd::backward({output}, {OutputGradient(output, q)});
    gradients.inputs.push_back(input.grad());
  }
  for (const at::Tensor& leaf : leaves) {
    gradients.parameters.push_back(leaf.grad());
  }
  return gradients;
}

/// All input halves first, then all weight halves.
Gradients Split(const LayerCase& each) {
  const std::vector<at::Tensor> leaves = test::LeavesFor(each, 100);
  Gradients gradients;
  std::vector<std::unique_ptr<SplitBackward>> splits;
  for (int q = 0; q < kMicrobatches; ++q) {
    const at::Tensor input = Input(each, q);
    const at::Tensor output = test::RunCase(each, input, leaves);
    splits.push_back(std::make_unique<SplitBackward>(output, input));
    gradients.inputs.push_back(splits.back()->Input(OutputGradient(output, q)));
    EXPECT_FALSE(input.grad().defined()) << each.name;
    for (const at::Tensor& leaf : leaves) {
      EXPECT_FALSE(leaf.grad().defined()) << each.name;
    }
  }
  for (const std::unique_ptr<SplitBackward>& split : splits) {
    split->Weight();
  }
  for (const at::Tensor& leaf : leaves) {
    gradients.parameters.push_back(leaf.grad());
  }
  return gradients;
}

TEST(SplitBackward, BothHalvesAreTheWholeBitForBit) {
  for (const LayerCase& each : test::LayerCases()) {
    if (each.is_tokens) {
      continue;  // No gradient of the input.
    }
    const Gradients whole = Whole(each);
    const Gradients split = Split(each);
    for (int q = 0; q < kMicrobatches; ++q) {
      EXPECT_TRUE(at::equal(split.inputs[static_cast<std::size_t>(q)],
                            whole.inputs[static_cast<std::size_t>(q)]))
          << each.name;
    }
    ASSERT_EQ(split.parameters.size(), whole.parameters.size());
    for (std::size_t i = 0; i < split.parameters.size(); ++i) {
      EXPECT_TRUE(at::equal(split.parameters[i], whole.parameters[i])) << each.name << ' ' << i;
    }
  }
}

TEST(SplitBackward, ALayerWithoutParametersLeavesNothingForTheSecondHalf) {
  const at::Tensor input = at::randn({3, 5}, test::Generator(1)).requires_grad_();
  SplitBackward split(input.tanh(), input);
  EXPECT_TRUE(split.Input(at::ones({3, 5})).defined());
  split.Weight();
  EXPECT_FALSE(input.grad().defined());
}

}  // namespace
}  // namespace stagecraft
