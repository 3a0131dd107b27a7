#include "engine/optimizer/optimizer_kernels.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "tests/engine/optimizer_cases.h"

namespace stagecraft {
namespace {

std::vector<OptimizerOptions> Options() {
  std::vector<OptimizerOptions> all(6);
  all[1].momentum = 0.9;
  all[2].momentum = 0.9;
  all[2].nesterov = true;
  all[2].weight_decay = 0.1;
  all[3].kind = OptimizerKind::kAdam;
  all[3].weight_decay = 0.1;
  all[4].kind = OptimizerKind::kAdamW;
  all[4].weight_decay = 0.1;
  all[4].prediction_decay = true;
  all[5].kind = OptimizerKind::kAdam;
  all[5].displacement = Displacement::kNext;
  all[5].constant_correction = true;
  return all;
}

constexpr StepNumbers kStep{
    .updates = 4, .count = 3, .rate = 0.01, .clip = 0.5, .difference_decay = 0.5};

template <typename T>
void InPlaceIsOutOfPlace() {
  for (const OptimizerOptions& options : Options()) {
    test::OptimizerMemory<T> in_place;
    test::OptimizerMemory<T> out_of_place;
    Step<T>(options, in_place.Buffers(options), kStep, in_place.weights.data(),
            in_place.weights.data());
    Step<T>(options, out_of_place.Buffers(options), kStep, out_of_place.weights.data(),
            out_of_place.other.data());
    EXPECT_EQ(in_place.weights, out_of_place.other);
    EXPECT_EQ(in_place.velocity, out_of_place.velocity);
    EXPECT_EQ(in_place.difference, out_of_place.difference);
    EXPECT_EQ(out_of_place.weights, test::OptimizerMemory<T>().weights);
    EXPECT_EQ(in_place.gradient, std::vector<T>(in_place.gradient.size(), T{0}));
  }
}

TEST(OptimizerKernels, InPlaceIsOutOfPlace) {
  InPlaceIsOutOfPlace<float>();
  InPlaceIsOutOfPlace<double>();
}

template <typename T>
void FusedIsSeparate() {
  for (const OptimizerOptions& options : Options()) {
    for (const std::int64_t horizon : {1, 3, -2}) {
      const PredictNumbers prediction{.updates = 5, .horizon = horizon, .rate = 0.02};
      test::OptimizerMemory<T> fused;
      test::OptimizerMemory<T> separate;
      StepAndPredict<T>(options, fused.Buffers(options), kStep, prediction,
                        {fused.weights.data(), fused.weights.data(), fused.predicted.data()});
      Step<T>(options, separate.Buffers(options), kStep, separate.weights.data(),
              separate.weights.data());
      Predict<T>(options, separate.Buffers(options), prediction, separate.weights.data(),
                 separate.predicted.data());
      EXPECT_EQ(fused, separate) << horizon;
    }
  }
}

TEST(OptimizerKernels, FusedIsSeparate) {
  FusedIsSeparate<float>();
  FusedIsSeparate<double>();
}

TEST(OptimizerKernels, APredictionBeforeTheFirstUpdateIsACopy) {
  for (const OptimizerOptions& options : Options()) {
    test::OptimizerMemory<float> memory;
    Predict<float>(options, memory.Buffers(options), {.updates = 0, .horizon = 3, .rate = 0.1},
                   memory.weights.data(), memory.predicted.data());
    EXPECT_EQ(memory.predicted, memory.weights);
  }
}

/// One element that begins as given, with every state at hand.
struct One {
  double weight = 2, gradient = 0, velocity = 0, m = 0, v = 0, last = 0, difference = 0;

  double Predicted(const OptimizerOptions& options, std::int64_t updates, std::int64_t horizon,
                   double rate) {
    const bool is_sgd = options.kind == OptimizerKind::kSgd;
    double result = 0;
    Predict<double>(options,
                    {1, &gradient, is_sgd && options.momentum > 0 ? &velocity : nullptr, &m, &v,
                     &last, &difference},
                    {updates, horizon, rate}, &weight, &result);
    return result;
  }
};

TEST(OptimizerKernels, PredictionsAreThoseOfThePapers) {
  OptimizerOptions sgd;
  EXPECT_EQ((One{.last = 0.5}.Predicted(sgd, 1, 3, 0.25)), 2 - 3 * 0.25 * 0.5);
  sgd.momentum = 0.5;
  EXPECT_EQ((One{.velocity = 4, .last = 0.5}.Predicted(sgd, 1, 3, 0.25)), 2 - 3 * 0.25 * 4);
  sgd.displacement = Displacement::kNext;
  sgd.dampening = 0.25;
  EXPECT_EQ((One{.velocity = 4, .last = 0.5}.Predicted(sgd, 1, 3, 0.25)),
            2 - 3 * 0.25 * (0.5 * 4 + 0.75 * 0.5));
  // Adam after 2 updates: mean 0.19 / (1 - 0.9^2) = 1, square 0.0199 / ... chosen to be 4: root 2.
  OptimizerOptions adam;
  adam.kind = OptimizerKind::kAdam;
  adam.beta1 = 0.5;
  adam.beta2 = 0.5;
  adam.epsilon = 1e-30;
  EXPECT_DOUBLE_EQ((One{.m = 0.75, .v = 3}.Predicted(adam, 2, 3, 0.25)), 2 - 3 * 0.25 * (1.0 / 2));
  // XPipe's constants: 0.75 / 0.5 and 3 / 0.5.
  adam.constant_correction = true;
  EXPECT_DOUBLE_EQ((One{.m = 0.75, .v = 3}.Predicted(adam, 2, 3, 0.25)),
                   2 - 3 * 0.25 * (1.5 / std::sqrt(6.0)));
  OptimizerOptions adamw = adam;
  adamw.kind = OptimizerKind::kAdamW;
  adamw.constant_correction = false;
  adamw.weight_decay = 0.125;
  adamw.prediction_decay = true;
  EXPECT_DOUBLE_EQ((One{.m = 0.75, .v = 3}.Predicted(adamw, 2, 3, 0.25)),
                   2 - 3 * 0.25 * (0.5 + 0.125 * 2));
  // PipeMare looks back along the average step.
  EXPECT_EQ((One{.difference = 0.25}.Predicted(sgd, 5, -3, 0.1)), 2 - 3 * 0.25);
}

TEST(OptimizerKernels, TheGradientIsTheSumDividedOnceByItsCount) {
  double weight = 1;
  double gradient = 6;
  Step<double>({}, {1, &gradient}, {.count = 3, .rate = 0.5}, &weight, &weight);
  EXPECT_EQ(weight, 1 - 0.5 * 2);
  EXPECT_EQ(gradient, 0);
}

TEST(OptimizerKernels, TheFirstStepHasNoDampening) {
  OptimizerOptions options;
  options.momentum = 0.5;
  options.dampening = 0.75;
  double weight = 0;
  double gradient = 1;
  double velocity = 100;  // Whatever is there.
  Step<double>(options, {1, &gradient, &velocity}, {.updates = 0, .rate = 1}, &weight, &weight);
  EXPECT_EQ(velocity, 1);
  gradient = 1;
  Step<double>(options, {1, &gradient, &velocity}, {.updates = 1, .rate = 1}, &weight, &weight);
  EXPECT_EQ(velocity, 0.5 + 0.25);
}

TEST(OptimizerKernels, NormIsThatOfTheMean) {
  std::vector<float> gradient = {6, 8};
  EXPECT_EQ(GradientNorm<float>({2, gradient.data()}, 2), 5);
}

}  // namespace
}  // namespace stagecraft
