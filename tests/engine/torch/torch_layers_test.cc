#include "engine/torch/torch_layers.h"

#include <array>

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/engine/torch/layer_cases.h"

namespace stagecraft {
namespace {

using enum LayerKind;

TEST(RunLayers, MakesTheShapesThatTheLayersSay) {
  for (const test::LayerCase& each : test::LayerCases()) {
    TensorShape shape = each.input;
    for (const Layer& layer : each.layers) {
      shape = OutputShape(layer, shape);
    }
    const at::Tensor output = test::RunCase(each, test::InputFor(each), test::LeavesFor(each, 100));
    EXPECT_EQ(output.sizes().vec(), shape) << each.name;
  }
}

TEST(RunLayers, AttentionIsSoftmaxOverThePast) {
  const test::LayerCase each{"attention", {MakeLayer(kAttention, {6, 2})}, {3, 4, 6}};
  const at::Tensor x = test::InputFor(each);
  const std::vector<at::Tensor> leaves = test::LeavesFor(each, 100);
  const at::Tensor projected = at::linear(x, leaves[0], leaves[1]);
  std::vector<at::Tensor> heads;
  for (std::int64_t head = 0; head < 2; ++head) {
    const auto part = [&](std::int64_t which) {
      return projected.slice(2, which * 6 + head * 3, which * 6 + head * 3 + 3);
    };
    at::Tensor scores = at::matmul(part(0), part(1).transpose(1, 2)) / std::sqrt(3.0);
    for (std::int64_t t = 0; t < 3; ++t) {
      scores.slice(1, t, t + 1).slice(2, t + 1).fill_(-INFINITY);
    }
    heads.push_back(at::matmul(at::softmax(scores, 2), part(2)));
  }
  const at::Tensor joined = at::stack(heads, 2).reshape({3, 4, 6});
  const at::Tensor expected = at::linear(joined, leaves[2], leaves[3]);
  EXPECT_TRUE(at::allclose(test::RunCase(each, x, leaves), expected, 1e-4, 1e-5));
}

TEST(RunLayers, LstmIsItsRecurrence) {
  const test::LayerCase each{"lstm", {MakeLayer(kLstm, {5, 4})}, {3, 6, 5}};
  const at::Tensor x = test::InputFor(each);
  const std::vector<at::Tensor> leaves = test::LeavesFor(each, 100);
  at::Tensor h = at::zeros({3, 4});
  at::Tensor c = at::zeros({3, 4});
  std::vector<at::Tensor> outputs;
  for (std::int64_t t = 0; t < 6; ++t) {
    const at::Tensor gates =
        at::linear(x.select(1, t), leaves[0], leaves[2]) + at::linear(h, leaves[1], leaves[3]);
    const auto gate = [&](std::int64_t i) { return gates.slice(1, 4 * i, 4 * i + 4); };
    c = at::sigmoid(gate(1)) * c + at::sigmoid(gate(0)) * at::tanh(gate(2));
    h = at::sigmoid(gate(3)) * at::tanh(c);
    outputs.push_back(h);
  }
  EXPECT_TRUE(at::allclose(test::RunCase(each, x, leaves), at::stack(outputs, 1), 1e-4, 1e-5));
}

at::Tensor Dropped(const ForwardPass& pass) {
  return RunLayers({MakeLayer(kDropout, {0.25})}, at::ones({64, 64}), {}, {}, pass);
}

TEST(RunLayers, WhatIsDroppedDependsOnSeedLayerAndMicrobatchOnly) {
  const at::Tensor dropped = Dropped({.seed = 1, .first_layer = 2, .microbatch = 3});
  EXPECT_TRUE(at::equal(dropped, Dropped({.seed = 1, .first_layer = 2, .microbatch = 3})));
  EXPECT_FALSE(at::equal(dropped, Dropped({.seed = 2, .first_layer = 2, .microbatch = 3})));
  EXPECT_FALSE(at::equal(dropped, Dropped({.seed = 1, .first_layer = 3, .microbatch = 3})));
  EXPECT_FALSE(at::equal(dropped, Dropped({.seed = 1, .first_layer = 2, .microbatch = 4})));
  // The same as the second layer of a stage that begins one layer earlier.
  const at::Tensor second =
      RunLayers({MakeLayer(kRelu), MakeLayer(kDropout, {0.25})}, at::ones({64, 64}), {}, {},
                {.seed = 1, .first_layer = 1, .microbatch = 3});
  EXPECT_TRUE(at::equal(dropped, second));
}

TEST(RunLayers, DropoutKeepsTheMeanAndEvaluationKeepsEverything) {
  const at::Tensor dropped = Dropped({.seed = 1});
  EXPECT_NEAR(dropped.mean().item<double>(), 1, 0.05);
  EXPECT_NEAR(dropped.eq(0).sum().item<double>() / (64 * 64), 0.25, 0.03);
  EXPECT_TRUE(at::equal(Dropped({.training = false}), at::ones({64, 64})));
}

TEST(RunLayers, BatchNormGathersItsStatisticsOnlyIfItIsTold) {
  const at::Tensor x = at::randn({4, 2, 3, 3}, test::Generator(1)) + 5;
  const std::vector<at::Tensor> parameters = {at::ones({2}), at::zeros({2})};
  std::vector<at::Tensor> statistics = {at::zeros({2}), at::ones({2})};
  const std::vector<Layer> layers = {MakeLayer(kBatchNorm2d, {2})};
  const at::Tensor y = RunLayers(layers, x, parameters, statistics, {.gather_statistics = false});
  EXPECT_TRUE(at::equal(statistics[0], at::zeros({2})));
  const at::Tensor again = RunLayers(layers, x, parameters, statistics, {});
  EXPECT_TRUE(at::equal(y, again));
  EXPECT_TRUE(at::allclose(statistics[0], 0.1 * x.mean({0, 2, 3}), 1e-4, 1e-5));
  const at::Tensor kept = statistics[0].clone();
  RunLayers(layers, x, parameters, statistics, {.training = false, .gather_statistics = false});
  EXPECT_TRUE(at::equal(statistics[0], kept));
}

TEST(RunLayers, AnLstmByCellsIsThatOfLibTorch) {
  const at::TensorOptions options = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor x = at::randn({3, 6, 5}, test::Generator(1), options).requires_grad_();
  const std::array<at::Tensor, 4> weights = {
      at::randn({16, 5}, test::Generator(2), options).requires_grad_(),
      at::randn({16, 4}, test::Generator(3), options).requires_grad_(),
      at::randn({16}, test::Generator(4), options).requires_grad_(),
      at::randn({16}, test::Generator(5), options).requires_grad_()};
  const at::Tensor gradient = at::randn({3, 6, 4}, test::Generator(6), options);
  const std::vector<at::Tensor> inputs = {x, weights[0], weights[1], weights[2], weights[3]};
  const at::Tensor by_cells = LstmByCells(x, weights);
  const at::Tensor of_libtorch =
      RunLayers({MakeLayer(LayerKind::kLstm, {5, 4})}, x, weights, {}, {});
  EXPECT_TRUE(at::allclose(by_cells, of_libtorch, 1e-12, 1e-14));
  const auto gradients = torch::autograd::grad({by_cells}, inputs, {gradient});
  const auto expected = torch::autograd::grad({of_libtorch}, inputs, {gradient});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_TRUE(at::allclose(gradients[i], expected[i], 1e-11, 1e-13)) << i;
  }
}

}  // namespace
}  // namespace stagecraft
