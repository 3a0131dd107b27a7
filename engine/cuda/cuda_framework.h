#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/torch/torch_framework.h"

namespace stagecraft {

/// LibTorch on GPUs, one for each rank, or shared in turn by more ranks than there are.
class CudaFramework : public TorchFramework {
 public:
  std::string Version() const override;
  std::unique_ptr<Device> PrepareThread(const RankPlace& place) override;
  /// CUDA is asked in a process of its own, since it does not survive a fork.
  DevicesFound FindDevices() override;
  void SetDeviceOptions(const DeviceOptions& options) override { options_ = options; }
  Nccl* GetNccl() override;

 private:
  std::unique_ptr<Device> PrepareGpu(const RankPlace& place);

  DeviceOptions options_;
  std::once_flag prepared_;
  std::optional<DevicesFound> found_;
  std::unique_ptr<Nccl> nccl_;
};

}  // namespace stagecraft
