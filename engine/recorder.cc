#include "engine/recorder.h"

#include <algorithm>
#include <cstring>

#include "schedules/check.h"
#include "schedules/dependencies.h"

namespace stagecraft {

namespace {

template <typename T>
void Append(std::string& bytes, std::span<const T> values) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

template <typename T>
void Take(std::string_view& bytes, std::span<T> values) {
  std::memcpy(values.data(), bytes.data(), values.size_bytes());
  bytes.remove_prefix(values.size_bytes());
}

}  // namespace

std::size_t Recorder::BytesOf(const Schedule& lowered, std::int32_t rank) {
  return lowered.programs[rank].size() * (sizeof(Span) + sizeof(SlotContent) + sizeof(Arrival));
}

std::string Recorder::Bytes(std::int32_t rank) const {
  std::string bytes;
  Append<Span>(bytes, spans_.Of(rank));
  Append<SlotContent>(bytes, reads_.Of(rank));
  Append<Arrival>(bytes, arrivals_.Of(rank));
  return bytes;
}

void Recorder::Adopt(std::int32_t rank, std::string_view bytes) {
  STAGECRAFT_CHECK(bytes.size() >= BytesOf(lowered_, rank), "the record of a rank comes whole");
  Take<Span>(bytes, spans_.Of(rank));
  Take<SlotContent>(bytes, reads_.Of(rank));
  Take<Arrival>(bytes, arrivals_.Of(rank));
}

Timeline Recorder::Recorded() const {
  Timeline timeline;
  timeline.spans.assign(spans_.begin(), spans_.end());

  // A transfer is recorded by its receiver alone; its start is that of the matching send.
  const Dependencies dependencies = FindDependencies(lowered_);
  for (std::int32_t rank = 0; rank < lowered_.programs.Count(); ++rank) {
    for (std::int32_t i = 0; i < lowered_.programs[rank].Count(); ++i) {
      const OpRef send{rank, i};
      const OpRef recv = dependencies.matching_recv[send];
      if (!recv) {
        continue;
      }

      // The clocks of two ranks may disagree by more than a transfer takes.
      const Arrival& arrival = arrivals_[recv];
      const Nanoseconds start = spans_[send].start;
      timeline.transfers.push_back(
          {send, recv, start, std::max(start, arrival.time), arrival.bytes});
    }
  }
  return timeline;
}

}  // namespace stagecraft
