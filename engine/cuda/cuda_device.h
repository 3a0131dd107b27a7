#pragma once

#include <cstdint>
#include <memory>

#include "engine/device.h"

namespace stagecraft {

/// One GPU as one rank's thread uses it. Makes it and its compute stream the thread's current ones,
/// so that LibTorch puts everything there. With `traffic`, copies run beside whatever it does.
/// Throws `Error` in CUDA's own words.
std::unique_ptr<Device> MakeCudaDevice(std::int32_t number, bool traffic);

}  // namespace stagecraft
