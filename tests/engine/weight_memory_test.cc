#include "engine/weight_memory.h"

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

}  // namespace
}  // namespace stagecraft
