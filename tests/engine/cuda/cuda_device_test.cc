#include "engine/cuda/cuda_device.h"

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "engine/cuda/cuda_framework.h"
#include "tests/engine/cuda/gpu_or_skip.h"

namespace stagecraft {
namespace {

void WaitFor(Device& device, const DeviceEvent& event) {
  while (!device.IsDone(event)) {
    std::this_thread::yield();
  }
}

class CudaDeviceTest : public test::GpuTest {
 protected:
  void SetUp() override {
    test::GpuTest::SetUp();
    if (!IsSkipped()) {
      device_ = framework_.PrepareThread({});
    }
  }

  CudaFramework framework_;
  std::unique_ptr<Device> device_;
};

TEST_F(CudaDeviceTest, EventsOrderStreamsAndMeasureTime) {
  const Device::Stream other = device_->MakeStream();
  const std::shared_ptr<DeviceEvent> first = device_->Record(device_->ComputeStream());
  device_->Wait(other, *first);
  const std::shared_ptr<DeviceEvent> second = device_->Record(other);
  WaitFor(*device_, *second);
  EXPECT_TRUE(device_->IsDone(*first));
  EXPECT_GE(device_->Between(*first, *second), Nanoseconds(0));
  EXPECT_LE(device_->Between(*second, *first), Nanoseconds(0));
}

TEST_F(CudaDeviceTest, ACopyIsMadeOnTheComputeStream) {
  WeightMemory& weights = device_->Weights();
  Boundary from = device_->Allocate(8, device_->ComputeStream());
  const std::vector<std::byte> values(8, std::byte{5});
  weights.CopyIn(from.data, values);
  from.ready = device_->Record(device_->ComputeStream());
  const Boundary copy = device_->CopyHere(from);
  WaitFor(*device_, *copy.ready);
  std::vector<std::byte> back(8);
  weights.CopyOut(back, copy.data);
  EXPECT_EQ(back, values);
}

}  // namespace
}  // namespace stagecraft
