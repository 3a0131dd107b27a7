#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/transport.h"

namespace stagecraft {

/// What stands before every message between two processes: 24 bytes. Numbers are in the byte order
/// of the machine, which all machines of a job must share: a header in the other order begins with
/// another number than every frame does, and is refused.
struct Frame {
  enum class Type : std::uint8_t { kTensor, kAbort };
  Type type = Type::kTensor;
  Tag tag;
  std::uint64_t bytes = 0;  ///< How many bytes follow the header.
};

inline constexpr std::size_t kFrameBytes = 24;
inline constexpr std::uint64_t kMaxFramePayload = std::uint64_t{1} << 40;

using FrameHeader = std::array<std::byte, kFrameBytes>;

FrameHeader Encode(const Frame& frame);

/// The frame of `header`; nothing if it is not the header of a frame, or if it names a size that
/// nobody sends, for which nothing may be allocated.
std::optional<Frame> Decode(const FrameHeader& header);

}  // namespace stagecraft
