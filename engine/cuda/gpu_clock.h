#pragma once

#include <cstdint>
#include <optional>

namespace stagecraft {

/// The frequency of a GPU's multiprocessors now, in MHz, from the driver's management library;
/// nullopt if that is not installed.
std::optional<std::int32_t> GpuClock(std::int32_t device);

}  // namespace stagecraft
