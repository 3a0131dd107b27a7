#include "engine/cuda/gpu_clock.h"

#include <gtest/gtest.h>

#include "tests/engine/cuda/gpu_or_skip.h"

namespace stagecraft {
namespace {

TEST(GpuClock, IsNothingWhereThereIsNoSuchGpu) {
  EXPECT_FALSE(GpuClock(1000));
}

using GpuClockTest = test::GpuTest;

TEST_F(GpuClockTest, IsPositive) {
  if (const std::optional<std::int32_t> clock = GpuClock(0)) {
    EXPECT_GT(*clock, 0);
  }
}

}  // namespace
}  // namespace stagecraft
