#include "engine/cuda/found_devices.h"

#include <cuda_runtime_api.h>

#include <gtest/gtest.h>

#include "engine/cuda/cuda_framework.h"

namespace stagecraft {
namespace {

/// What a framework and a function of its own find, and then what CUDA says here: in this order,
/// since a process forked after CUDA has started here finds nothing.
///
/// Also without a GPU: then they say why.
TEST(FoundDevices, AreThoseOfCudaOrAReasonAndCudaIsNotStartedHere) {
  CudaFramework framework;
  const DevicesFound of_framework = framework.FindDevices();
  const DevicesFound found = FindCudaDevices();
  EXPECT_FALSE(found.text.empty());
  EXPECT_EQ(of_framework.count, found.count);
  EXPECT_EQ(of_framework.text, found.text);
  EXPECT_EQ(framework.Version().rfind("LibTorch 2.", 0), 0U) << framework.Version();

  int count = 0;
  const bool has_any = cudaGetDeviceCount(&count) == cudaSuccess;
  EXPECT_EQ(found.count, has_any ? count : 0) << found.text;
  if (found.count > 0) {
    EXPECT_NE(found.text.find("multiprocessors"), std::string::npos) << found.text;
  }
}

}  // namespace
}  // namespace stagecraft
