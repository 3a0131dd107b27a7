#include "engine/ranks/frame.h"

#include <cstring>

namespace stagecraft {
namespace {

constexpr std::uint32_t kMagic = 0x31464353;  // "SCF1".

/// The header field by field.
struct Wire {
  std::uint32_t magic = kMagic;
  std::uint8_t type = 0;
  std::uint8_t kind = 0;
  std::uint16_t reserved = 0;
  std::int32_t stage = 0;
  std::int32_t microbatch = 0;
  std::uint64_t bytes = 0;
};
static_assert(sizeof(Wire) == kFrameBytes);

}  // namespace

FrameHeader Encode(const Frame& frame) {
  Wire wire;
  wire.type = static_cast<std::uint8_t>(frame.type);
  wire.kind = static_cast<std::uint8_t>(frame.tag.kind);
  wire.stage = frame.tag.stage;
  wire.microbatch = frame.tag.microbatch;
  wire.bytes = frame.bytes;
  FrameHeader header;
  std::memcpy(header.data(), &wire, sizeof wire);
  return header;
}

std::optional<Frame> Decode(const FrameHeader& header) {
  Wire wire;
  std::memcpy(&wire, header.data(), sizeof wire);
  const bool known = wire.magic == kMagic && wire.reserved == 0 &&
                     wire.type <= static_cast<std::uint8_t>(Frame::Type::kAbort) &&
                     wire.kind < kOpKinds;
  if (!known || wire.bytes > kMaxFramePayload) {
    return std::nullopt;
  }
  return Frame{static_cast<Frame::Type>(wire.type),
               {static_cast<OpKind>(wire.kind), wire.stage, wire.microbatch},
               wire.bytes};
}

}  // namespace stagecraft
