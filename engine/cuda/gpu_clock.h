#pragma once

#include <cstdint>
#include <optional>

namespace stagecraft {

/// MHz of the multiprocessors of a GPU now, from the driver's management library, which need not be
/// installed: then nothing.
std::optional<std::int32_t> GpuClock(std::int32_t device);

}  // namespace stagecraft
