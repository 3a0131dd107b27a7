#include "engine/recorder.h"

#include <cstring>

#include "schedules/check.h"

namespace stagecraft {

std::size_t Recorder::BytesOf(const Schedule& lowered, std::int32_t rank) {
  return lowered.programs[static_cast<std::size_t>(rank)].size() * sizeof(Span);
}

std::string Recorder::Bytes(std::int32_t rank) const {
  std::string bytes(BytesOf(lowered_, rank), '\0');
  std::memcpy(bytes.data(), timeline_.spans.data() + ids_.Begin(rank), bytes.size());
  return bytes;
}

void Recorder::Adopt(std::int32_t rank, std::string_view bytes) {
  const std::size_t size = BytesOf(lowered_, rank);
  STAGECRAFT_CHECK(bytes.size() >= size, "the spans of a rank come whole");
  std::memcpy(timeline_.spans.data() + ids_.Begin(rank), bytes.data(), size);
}

}  // namespace stagecraft
