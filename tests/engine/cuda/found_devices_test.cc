#include "engine/cuda/found_devices.h"

#include <cuda_runtime_api.h>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

/// Also without a GPU: then it says why.
TEST(FoundDevices, AreThoseOfCudaOrAReason) {
  const DevicesFound found = FindCudaDevices();
  EXPECT_FALSE(found.text.empty());
  int count = 0;
  const bool has_any = cudaGetDeviceCount(&count) == cudaSuccess;
  EXPECT_EQ(found.count, has_any ? count : 0) << found.text;
  if (found.count > 0) {
    EXPECT_NE(found.text.find("multiprocessors"), std::string::npos) << found.text;
  }
}

}  // namespace
}  // namespace stagecraft
