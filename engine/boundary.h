#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace stagecraft {

/// A point in the work of a device: see device.h.
struct DeviceEvent {
  explicit DeviceEvent(std::int32_t of) : device(of) {}
  DeviceEvent(const DeviceEvent&) = delete;
  DeviceEvent& operator=(const DeviceEvent&) = delete;
  virtual ~DeviceEvent() = default;

  const std::int32_t device;  ///< Number of the device that the event is of.
};

/// A tensor between two stages, as bytes with an owner. Whoever holds it may read and write it; a
/// transport in one process hands it over without a copy. Empty where nothing passes: before the
/// first stage and behind the last.
struct Boundary {
  std::shared_ptr<void> owner;  ///< Keeps `data` alive.
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  /// The event behind which `data` may be used; null in main memory.
  std::shared_ptr<DeviceEvent> ready{};
};

/// `bytes` of uninitialised memory of its own.
inline Boundary MakeBoundary(std::size_t bytes) {
  std::shared_ptr<std::byte[]> memory(new std::byte[bytes]);
  std::byte* const data = memory.get();
  return {std::move(memory), data, bytes};
}

}  // namespace stagecraft
