#pragma once

#include <string>

namespace stagecraft {

/// What computes a training, for reports and profiles.
struct ComputeDescription {
  std::string framework{};    ///< `LibTorch 2.11.0 with CUDA`.
  std::string devices{};      ///< `1 x NVIDIA H200, driver 580.65`; empty in main memory.
  std::string nccl{};         ///< Its version; empty where ranks are threads.
  bool tf32 = false;          ///< Devices only, as in `DeviceOptions`.
  bool deterministic = true;  ///< Devices only, as in `DeviceOptions`.
};

/// `1 x NVIDIA H200, driver 580.65, TF32 off, deterministic`; empty in main memory.
std::string DevicesText(const ComputeDescription& compute);

/// The framework, and the devices if there are any.
std::string ToString(const ComputeDescription& compute);

}  // namespace stagecraft
