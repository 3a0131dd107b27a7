#include "engine/recorder.h"

#include <cstring>

#include "schedules/check.h"

namespace stagecraft {

std::size_t Recorder::BytesOf(const Schedule& lowered, std::int32_t rank) {
  return lowered.programs[static_cast<std::size_t>(rank)].size() *
         (sizeof(Span) + sizeof(SlotContent));
}

std::string Recorder::Bytes(std::int32_t rank) const {
  std::string bytes(BytesOf(lowered_, rank), '\0');
  const std::size_t ops = lowered_.programs[static_cast<std::size_t>(rank)].size();
  const auto begin = static_cast<std::size_t>(ids_.Begin(rank));
  std::memcpy(bytes.data(), timeline_.spans.data() + begin, ops * sizeof(Span));
  std::memcpy(bytes.data() + ops * sizeof(Span), reads_.data() + begin, ops * sizeof(SlotContent));
  return bytes;
}

void Recorder::Adopt(std::int32_t rank, std::string_view bytes) {
  STAGECRAFT_CHECK(bytes.size() >= BytesOf(lowered_, rank), "the record of a rank comes whole");
  const std::size_t ops = lowered_.programs[static_cast<std::size_t>(rank)].size();
  const auto begin = static_cast<std::size_t>(ids_.Begin(rank));
  std::memcpy(timeline_.spans.data() + begin, bytes.data(), ops * sizeof(Span));
  std::memcpy(reads_.data() + begin, bytes.data() + ops * sizeof(Span), ops * sizeof(SlotContent));
}

}  // namespace stagecraft
