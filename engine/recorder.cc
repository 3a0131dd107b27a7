#include "engine/recorder.h"

#include <algorithm>
#include <cstring>

#include "schedules/check.h"
#include "schedules/dependencies.h"

namespace stagecraft {

namespace {

template <typename T>
void Append(std::string& bytes, const T* values, std::size_t count) {
  bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

template <typename T>
void Take(std::string_view& bytes, T* values, std::size_t count) {
  std::memcpy(values, bytes.data(), count * sizeof(T));
  bytes.remove_prefix(count * sizeof(T));
}

}  // namespace

std::size_t Recorder::BytesOf(const Schedule& lowered, std::int32_t rank) {
  return lowered.programs[static_cast<std::size_t>(rank)].size() *
         (sizeof(Span) + sizeof(SlotContent) + sizeof(Arrival));
}

std::string Recorder::Bytes(std::int32_t rank) const {
  std::string bytes;
  const std::size_t ops = lowered_.programs[static_cast<std::size_t>(rank)].size();
  const auto begin = static_cast<std::size_t>(ids_.Begin(rank));
  Append(bytes, timeline_.spans.data() + begin, ops);
  Append(bytes, reads_.data() + begin, ops);
  Append(bytes, arrivals_.data() + begin, ops);
  return bytes;
}

void Recorder::Adopt(std::int32_t rank, std::string_view bytes) {
  STAGECRAFT_CHECK(bytes.size() >= BytesOf(lowered_, rank), "the record of a rank comes whole");
  const std::size_t ops = lowered_.programs[static_cast<std::size_t>(rank)].size();
  const auto begin = static_cast<std::size_t>(ids_.Begin(rank));
  Take(bytes, timeline_.spans.data() + begin, ops);
  Take(bytes, reads_.data() + begin, ops);
  Take(bytes, arrivals_.data() + begin, ops);
}

Timeline Recorder::Recorded() const {
  Timeline timeline = timeline_;
  const Dependencies dependencies = FindDependencies(lowered_);
  for (std::int32_t id = 0; id < ids_.Size(); ++id) {
    const OpRef send = ids_.At(id);
    if (!TraitsOf(lowered_.At(send).kind).is_send) {
      continue;
    }

    const OpRef recv = dependencies.matching_recv[static_cast<std::size_t>(send.rank)]
                                                 [static_cast<std::size_t>(send.index)];
    if (recv) {
      const Arrival& arrival = arrivals_[static_cast<std::size_t>(ids_.Of(recv))];
      const Nanoseconds start = timeline_.spans[static_cast<std::size_t>(id)].start;
      timeline.transfers.push_back(
          {send, recv, start, std::max(start, arrival.time), arrival.bytes});
    }
  }
  return timeline;
}

}  // namespace stagecraft
