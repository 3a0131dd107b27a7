#include "engine/optimizer/weight_memory.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(WeightMemory, BeginsAsZerosAtAnAlignedAddress) {
  const std::shared_ptr<std::byte> memory = HostMemory().Allocate(100);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.get()) % 64, 0U);
  std::vector<std::byte> values(100, std::byte{1});
  HostMemory().CopyOut(values, memory.get());
  EXPECT_EQ(values, std::vector<std::byte>(100));
}

TEST(WeightMemory, GradientsAreClippedToTheirNorm) {
  OptimizerOptions options;
  options.clip_norm = 1;
  float weight[2] = {0, 0};
  float gradient[2] = {6, 8};  // Of two micro-batches: the mean is 5 long.
  HostMemory().Step(options, OptimizerBuffers<float>{.elements = 2, .gradient = gradient},
                    StepWork<float>{{.count = 2, .rate = 1}, {weight, weight, nullptr}, nullptr});
  EXPECT_NEAR(weight[0], -0.6, 1e-6);
  EXPECT_NEAR(weight[1], -0.8, 1e-6);
}

TEST(WeightMemory, NumbersComeAndGoAsDoubles) {
  float values[3] = {0.5F, -0.0F, 3};
  const DeviceValues place{reinterpret_cast<std::byte*>(values), 3, ElementType::kFloat32};
  EXPECT_EQ(ReadNumbers(HostMemory(), place), (std::vector<double>{0.5, 0, 3}));
  WriteNumbers(HostMemory(), place, std::vector<double>{1, 0.1, 2});
  EXPECT_EQ(values[0], 1.0F);
  EXPECT_EQ(values[1], 0.1F);  // Rounded to what is there.
  double wide[1] = {0.1};
  const DeviceValues other{reinterpret_cast<std::byte*>(wide), 1, ElementType::kFloat64};
  EXPECT_EQ(ReadNumbers(HostMemory(), other), std::vector<double>{0.1});
}

}  // namespace
}  // namespace stagecraft
