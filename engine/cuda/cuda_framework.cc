#include "engine/cuda/cuda_framework.h"

#include <cstdlib>
#include <unistd.h>
#include <utility>

#include <ATen/Context.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/AutogradState.h>
#include <c10/cuda/CUDAFunctions.h>

#include "engine/cuda/cuda_device.h"
#include "engine/cuda/found_devices.h"
#include "engine/cuda/loaded_nccl.h"
#include "engine/ranks/brief_wait.h"
#include "engine/torch/plain_errors.h"

namespace stagecraft {
namespace {

/// Sets an environment variable unless somebody has.
void SetDefault(const char* name, const std::string& value) {
  setenv(name, value.c_str(), /*overwrite=*/0);
}

/// Before CUDA starts.
void SetEnvironment(const DeviceOptions& options, bool own_process) {
  if (own_process) {
    // Kernels that were loaded at their first use would wait for transfers that wait for this rank.
    SetDefault("CUDA_MODULE_LOADING", "EAGER");
  }
  SetDefault("CUDA_DEVICE_MAX_CONNECTIONS", "32");
  if (options.deterministic) {
    SetDefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
  }
}

void SetContext(const DeviceOptions& options) {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(options.tf32);
  context.setAllowTF32CuDNN(options.tf32);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(options.deterministic);
  context.setDeterministicAlgorithms(options.deterministic, /*warn_only=*/true);
  // Else fresh memory is filled with NaN, by a kernel more for each tensor that LibTorch makes.
  context.setDeterministicFillUninitializedMemory(false);
  // The other ways to attend add up in any order in their backward.
  context.setSDPUseFlash(!options.deterministic);
  context.setSDPUseMemEfficient(!options.deterministic);
  context.setSDPUseCuDNN(!options.deterministic);
}

/// NCCL refuses two ranks on one GPU, unless it is told that it may, or takes them for ranks of two
/// machines: then it connects them by sockets.
void AllowSharedGpus(const RankPlace& place, std::int32_t nccl_version) {
  constexpr std::int32_t kMayShare = 23000;  // 2.30.
  if (nccl_version >= kMayShare) {
    SetDefault("NCCL_MULTI_RANK_GPU_ENABLE", "1");
    return;
  }
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  SetDefault("NCCL_HOSTID",
             std::string("stagecraft-") + host + "-" + std::to_string(place.local_rank));
  if (place.local_ranks == place.ranks) {
    SetDefault("NCCL_SOCKET_IFNAME", "lo");
  }
}

}  // namespace

std::string CudaFramework::Version() const {
  return TorchFramework::Version() + " with CUDA";
}

DevicesFound CudaFramework::FindDevices() {
  if (!found_) {
    found_ = FindCudaDevices();
  }
  return *found_;
}

std::unique_ptr<Device> CudaFramework::PrepareThread(const RankPlace& place) {
  std::call_once(prepared_, [&] {
    SetEnvironment(options_, place.own_process);
    SetContext(options_);
  });
  return WithPlainErrors([&] { return PrepareGpu(place); });
}

std::unique_ptr<Device> CudaFramework::PrepareGpu(const RankPlace& place) {
  const c10::DeviceIndex devices = c10::cuda::device_count();
  if (devices == 0) {
    throw Error("no GPU is left for this rank (CUDA_VISIBLE_DEVICES may hide it)");
  }

  if (place.own_process && place.local_ranks > devices) {
    AllowSharedGpus(place, GetNccl()->VersionCode());
  }
  TorchFramework::PrepareThread(place);
  WakeUpInTime();  // Waits for the device are short.

  // A backward runs on the thread that asks for it; else all ranks of a GPU would share one.
  c10::AutogradState::get_tls_state().set_multithreading_enabled(false);
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);

  std::unique_ptr<Device> device = MakeCudaDevice(place.local_rank % devices, options_.traffic);
  const at::Tensor square = at::zeros({64, 64}, at::TensorOptions().device(at::kCUDA));
  at::mm(square, square);  // Makes this thread's cuBLAS.
  return device;
}

Nccl* CudaFramework::GetNccl() {
  if (!nccl_) {
    nccl_ = LoadNccl();
  }
  return nccl_.get();
}

}  // namespace stagecraft
