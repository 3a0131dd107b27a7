#include "engine/cuda/loaded_nccl.h"

#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "engine/cuda/cuda_framework.h"
#include "tests/engine/cuda/gpu_or_skip.h"

namespace stagecraft {
namespace {

/// Needs no GPU.
TEST(LoadedNccl, IsTheOneThatLibTorchHasBrought) {
  const std::unique_ptr<Nccl> nccl = LoadNccl();
  EXPECT_EQ(nccl->Version().rfind("NCCL 2.", 0), 0U) << nccl->Version();
  EXPECT_GE(nccl->VersionCode(), 21800);
}

using LoadedNcclTest = test::GpuTest;

TEST_F(LoadedNcclTest, ConnectsARankWithItself) {
  CudaFramework framework;
  const std::unique_ptr<Device> device = framework.PrepareThread({});
  const std::unique_ptr<Nccl> nccl = LoadNccl();
  Nccl::Comm comm = nullptr;
  Nccl::State state = nccl->Connect(&comm, nccl->MakeId(), 0, 1, 1);
  const auto settle = [&] {
    while (state == Nccl::State::kInProgress) {
      state = nccl->StateOf(comm);
    }
    ASSERT_EQ(state, Nccl::State::kDone) << nccl->Fault(comm);
  };
  settle();
  const Device::Stream stream = device->MakeStream();
  const Boundary from = device->Allocate(8, stream);
  const Boundary to = device->Allocate(8, stream);
  state = nccl->AllGather(comm, from.data, to.data, 8, stream);
  settle();
  const std::shared_ptr<DeviceEvent> done = device->Record(stream);
  while (!device->IsDone(*done)) {
    std::this_thread::yield();
  }
  state = nccl->Finalize(comm);
  settle();
  nccl->Destroy(comm);
}

}  // namespace
}  // namespace stagecraft
