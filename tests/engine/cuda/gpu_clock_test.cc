#include "engine/cuda/gpu_clock.h"

#include <cuda_runtime_api.h>

#include <gtest/gtest.h>

#include "tests/engine/cuda/gpu_or_skip.h"

namespace stagecraft {
namespace {

TEST(GpuClock, IsNothingWhereThereIsNoSuchGpu) {
  static_cast<void>(cudaGetLastError());
  EXPECT_FALSE(GpuClock(1000));
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);  // Else the next launch would be blamed.
}

using GpuClockTest = test::GpuTest;

TEST_F(GpuClockTest, IsPositive) {
  if (const std::optional<std::int32_t> clock = GpuClock(0)) {
    EXPECT_GT(*clock, 0);
  }
}

}  // namespace
}  // namespace stagecraft
