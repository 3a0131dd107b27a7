#include "tools/runs/compute_description.h"

#include <fmt/format.h>

namespace stagecraft {

std::string DevicesText(const ComputeDescription& compute) {
  if (compute.devices.empty()) {
    return {};
  }
  return fmt::format("{}{}{}, TF32 {}, {}", compute.devices, compute.nccl.empty() ? "" : ", ",
                     compute.nccl, compute.tf32 ? "on" : "off",
                     compute.deterministic ? "deterministic" : "not deterministic");
}

std::string ToString(const ComputeDescription& compute) {
  const std::string devices = DevicesText(compute);
  return compute.framework + (devices.empty() ? "" : ", ") + devices;
}

}  // namespace stagecraft
