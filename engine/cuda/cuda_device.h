#pragma once

#include <cstdint>
#include <memory>

#include "engine/device.h"

namespace stagecraft {

/// One GPU as one rank's thread uses it. Makes it and its compute stream the thread's current ones,
/// so that LibTorch puts everything there. Throws `Error` in CUDA's own words.
std::unique_ptr<Device> MakeCudaDevice(std::int32_t number);

}  // namespace stagecraft
