#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/transport.h"

namespace stagecraft {

/// What stands before every message between two processes: 24 bytes, numbers in the byte order of
/// the machine, since both ends are on one.
struct Frame {
  enum class Type : std::uint8_t { kTensor, kAbort };
  Type type = Type::kTensor;
  Tag tag;
  std::uint64_t bytes = 0;  ///< That follow.
};

inline constexpr std::size_t kFrameBytes = 24;
inline constexpr std::uint64_t kMaxFramePayload = std::uint64_t{1} << 40;

using FrameHeader = std::array<std::byte, kFrameBytes>;

FrameHeader Encode(const Frame& frame);

/// Nothing if this is not the header of a frame, or names a size that nobody sends: then nothing
/// may be allocated for it.
std::optional<Frame> Decode(const FrameHeader& header);

}  // namespace stagecraft
