#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "schedules/progress.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Writes the spans of a timeline in any order.
class TimelineWriter {
 public:
  /// `transfers` by the ids of their SENDs, `bytes` per cost class.
  TimelineWriter(const OpIds& ids, Table<Transfer> transfers, SendMode send,
                 Table<std::int64_t> bytes)
      : ids_(ids), blocking_(send == SendMode::kBlocking), bytes_(std::move(bytes)) {
    timeline_.spans.resize(ids.Size() + 1);
    timeline_.transfers = std::move(transfers);
  }

  /// `op` is an id; the one behind the last is for what belongs to no op.
  void SetOp(std::int32_t op, Span span) { timeline_.spans[op] = span; }

  /// `reached`: when the sender came to the SEND; `span`: from its start to its arrival.
  void SetTransfer(std::int32_t index, Nanoseconds reached, Span span, std::uint32_t cost_class) {
    Transfer& transfer = timeline_.transfers[index];
    transfer.start = span.start;
    transfer.arrival = span.end;
    transfer.bytes = bytes_[cost_class];
    timeline_.spans[ids_.Of(transfer.send)] = {reached, blocking_ ? span.end : reached};
  }

  void CopySpan(std::int32_t op, std::int32_t like) { timeline_.spans[op] = timeline_.spans[like]; }

  Timeline Take() {
    timeline_.spans.pop_back();
    return std::move(timeline_);
  }

 private:
  const OpIds& ids_;
  bool blocking_;
  Table<std::int64_t> bytes_;
  Timeline timeline_;
};

}  // namespace stagecraft
