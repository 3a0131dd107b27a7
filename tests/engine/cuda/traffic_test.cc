#include "engine/cuda/traffic.h"

#include <cuda_runtime_api.h>

#include <gtest/gtest.h>

#include "tests/engine/cuda/gpu_or_skip.h"

namespace stagecraft {
namespace {

using TrafficTest = test::GpuTest;

TEST_F(TrafficTest, EndsWhenItGoes) {
  { const Traffic traffic; }
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

}  // namespace
}  // namespace stagecraft
