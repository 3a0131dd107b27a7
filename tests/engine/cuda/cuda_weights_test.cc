#include "engine/cuda/cuda_weights.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "engine/cuda/cuda_framework.h"
#include "engine/optimizer/weight_store.h"
#include "tests/engine/cuda/gpu_or_skip.h"

namespace stagecraft {
namespace {

using CudaWeightsTest = test::GpuTest;

TEST_F(CudaWeightsTest, GoThereAndBack) {
  CudaFramework framework;
  const std::unique_ptr<Device> device = framework.PrepareThread({});
  WeightMemory& weights = device->Weights();
  const std::shared_ptr<std::byte> memory = weights.Allocate(64);
  std::vector<std::byte> values(64, std::byte{7});
  weights.CopyOut(values, memory.get());
  EXPECT_EQ(values, std::vector<std::byte>(64));  // Zeros at first.
  values[3] = std::byte{9};
  weights.CopyIn(memory.get(), values);
  const std::shared_ptr<std::byte> other = weights.Allocate(64);
  weights.Copy(other.get(), memory.get(), 64);
  std::vector<std::byte> back(64);
  weights.CopyOut(back, other.get());
  EXPECT_EQ(back, values);
}

TEST_F(CudaWeightsTest, GradientsAreClippedThere) {
  CudaFramework framework;
  const std::unique_ptr<Device> device = framework.PrepareThread({});
  WeightMemory& weights = device->Weights();
  OptimizerOptions options;
  options.clip_norm = 1;
  const std::vector<float> gradient = {6, 8};  // Of two micro-batches: the mean is 5 long.
  const std::shared_ptr<std::byte> sum = weights.Allocate(8);
  const std::shared_ptr<std::byte> weight = weights.Allocate(8);
  weights.CopyIn(sum.get(), std::as_bytes(std::span(gradient)));
  auto* const at = reinterpret_cast<float*>(weight.get());
  weights.Step(
      options,
      OptimizerBuffers<float>{.elements = 2, .gradient = reinterpret_cast<float*>(sum.get())},
      StepWork<float>{{.count = 2, .rate = 1}, {at, at, nullptr}, nullptr});
  std::vector<float> result(2);
  weights.CopyOut(std::as_writable_bytes(std::span(result)), weight.get());
  EXPECT_NEAR(result[0], -0.6, 1e-6);
  EXPECT_NEAR(result[1], -0.8, 1e-6);
}

TEST_F(CudaWeightsTest, TheFirstUpdateWhoseGradientWasNotFiniteIsRemembered) {
  CudaFramework framework;
  const std::unique_ptr<Device> device = framework.PrepareThread({});
  for (const std::int64_t bad : {0, 1023, 1024}) {  // 1025 elements: the last is in no pack.
    WeightStore store({.type = ElementType::kFloat32,
                       .elements = 1025,
                       .needs = {},
                       .optimizer = {},
                       .learning_rate = {},
                       .memory = &device->Weights()});
    for (const bool is_bad : {false, true, true}) {
      std::vector<float> gradient(1025, 1);
      gradient[static_cast<std::size_t>(bad)] = is_bad ? std::numeric_limits<float>::infinity() : 1;
      device->Weights().CopyIn(store.GradientData(), std::as_bytes(std::span(gradient)));
      store.Step({0, 0, 0, 1});
      EXPECT_EQ(store.FirstNotFinite(),
                store.Updates() < 2 ? std::nullopt : std::optional<std::int64_t>(1))
          << bad;
    }
  }
}

}  // namespace
}  // namespace stagecraft
