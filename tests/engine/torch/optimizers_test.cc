// Our optimizers against torch::optim's, over 100 steps.

#include <cstring>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include "engine/optimizer/weight_store.h"
#include "tests/engine/torch/layer_cases.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kElements = 100;
constexpr double kRate = 0.05;

/// Gradients of 2 micro-batches that depend on the weights, as in training.
at::Tensor GradientFor(const at::Tensor& weights, std::uint64_t step) {
  return weights * 0.5 + at::randn({kElements}, test::Generator(1000 + step), at::kDouble);
}

/// The largest difference after 100 steps in float64.
double Distance(const OptimizerOptions& options, torch::optim::Optimizer& optimizer,
                at::Tensor theirs, double clip = 0) {
  WeightStore store({.type = ElementType::kFloat64,
                     .elements = kElements,
                     .optimizer = options,
                     .learning_rate = LearningRate({kRate})});
  const at::TensorOptions in_double = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor ours = at::from_blob(store.Slot(0), {kElements}, in_double);
  const at::Tensor sum = at::from_blob(store.GradientData(), {kElements}, in_double);
  ours.copy_(theirs.detach());
  for (std::uint64_t step = 0; step < 100; ++step) {
    const at::NoGradGuard no_graph;
    sum.add_(GradientFor(ours, step) * 2);
    store.Step({static_cast<std::int32_t>(step), 0, 0, 2});
    theirs.mutable_grad() = GradientFor(theirs.detach(), step);
    if (clip > 0) {
      torch::nn::utils::clip_grad_norm_({theirs}, clip);
    }
    optimizer.step();
  }
  return (ours - theirs.detach()).abs().max().item<double>();
}

at::Tensor Weights() {
  return at::randn({kElements}, test::Generator(7), at::kDouble).requires_grad_();
}

// Equal formulas, another order of rounding: weights of order 1, so 1e-12 is some thousand units in
// the last place.
constexpr double kTolerance = 1e-12;

TEST(Optimizers, SgdIsTorchs) {
  struct Case {
    double momentum, dampening, decay;
    bool nesterov;
  };
  for (const Case each :
       {Case{0, 0, 0, false}, Case{0.9, 0, 0, false}, Case{0.9, 0.3, 0, false},
        Case{0.9, 0, 0.01, false}, Case{0.9, 0, 0.01, true}, Case{0, 0, 0.01, false}}) {
    OptimizerOptions options;
    options.momentum = each.momentum;
    options.dampening = each.dampening;
    options.weight_decay = each.decay;
    options.nesterov = each.nesterov;
    const at::Tensor theirs = Weights();
    torch::optim::SGD sgd({theirs}, torch::optim::SGDOptions(kRate)
                                        .momentum(each.momentum)
                                        .dampening(each.dampening)
                                        .weight_decay(each.decay)
                                        .nesterov(each.nesterov));
    EXPECT_LT(Distance(options, sgd, theirs), kTolerance)
        << each.momentum << ' ' << each.dampening << ' ' << each.decay << ' ' << each.nesterov;
  }
}

TEST(Optimizers, AdamIsTorchs) {
  for (const double decay : {0.0, 0.1}) {
    OptimizerOptions options;
    options.kind = OptimizerKind::kAdam;
    options.beta1 = 0.8;
    options.beta2 = 0.99;
    options.weight_decay = decay;
    const at::Tensor theirs = Weights();
    torch::optim::Adam adam(
        {theirs}, torch::optim::AdamOptions(kRate).betas({0.8, 0.99}).weight_decay(decay));
    EXPECT_LT(Distance(options, adam, theirs), kTolerance) << decay;
  }
}

TEST(Optimizers, AdamWIsTorchs) {
  for (const double decay : {0.0, 0.1}) {
    OptimizerOptions options;
    options.kind = OptimizerKind::kAdamW;
    options.epsilon = 1e-6;
    options.weight_decay = decay;
    const at::Tensor theirs = Weights();
    torch::optim::AdamW adam({theirs},
                             torch::optim::AdamWOptions(kRate).eps(1e-6).weight_decay(decay));
    EXPECT_LT(Distance(options, adam, theirs), kTolerance) << decay;
  }
}

TEST(Optimizers, ClippingIsTorchs) {
  OptimizerOptions options;
  options.momentum = 0.9;
  options.clip_norm = 2;
  const at::Tensor theirs = Weights();
  torch::optim::SGD sgd({theirs}, torch::optim::SGDOptions(kRate).momentum(0.9));
  EXPECT_LT(Distance(options, sgd, theirs, 2), kTolerance);
}

}  // namespace
}  // namespace stagecraft
