#include "engine/cuda/cuda_device.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "engine/cuda/cuda_framework.h"
#include "engine/cuda/loaded_nccl.h"
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

TEST_F(CudaDeviceTest, WeightsGoThereAndBack) {
  WeightMemory& weights = device_->Weights();
  const std::shared_ptr<std::byte> memory = weights.Allocate(64);
  std::vector<std::byte> values(64, std::byte{7});
  weights.CopyOut(values, memory.get());
  EXPECT_EQ(values, std::vector<std::byte>(64));
  values[3] = std::byte{9};
  weights.CopyIn(memory.get(), values);
  std::vector<std::byte> back(64);
  weights.CopyOut(back, memory.get());
  EXPECT_EQ(back, values);
}

/// NCCL with one rank, which gathers from itself: the calls are the right ones.
TEST_F(CudaDeviceTest, NcclConnectsARankWithItself) {
  const std::unique_ptr<Nccl> nccl = LoadNccl();
  EXPECT_EQ(nccl->Version().rfind("NCCL 2.", 0), 0U) << nccl->Version();
  Nccl::Comm comm = nullptr;
  Nccl::State state = nccl->Connect(&comm, nccl->MakeId(), 0, 1, 1);
  const auto settle = [&] {
    while (state == Nccl::State::kInProgress) {
      state = nccl->StateOf(comm);
    }
    ASSERT_EQ(state, Nccl::State::kDone) << nccl->Fault(comm);
  };
  settle();
  const Device::Stream stream = device_->MakeStream();
  const Boundary from = device_->Allocate(8, stream);
  const Boundary to = device_->Allocate(8, stream);
  state = nccl->AllGather(comm, from.data, to.data, 8, stream);
  settle();
  WaitFor(*device_, *device_->Record(stream));
  state = nccl->Finalize(comm);
  settle();
  nccl->Destroy(comm);
}

}  // namespace
}  // namespace stagecraft
