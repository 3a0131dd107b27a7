#pragma once

#include <cuda_runtime_api.h>

#include <gtest/gtest.h>

namespace stagecraft::test {

/// Skips every test where there is no GPU, and says why.
class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    static_cast<void>(cudaGetLastError());
    if (status != cudaSuccess || count == 0) {
      GTEST_SKIP() << "no GPU: "
                   << cudaGetErrorString(status == cudaSuccess ? cudaErrorNoDevice : status);
    }
  }
};

}  // namespace stagecraft::test
