#pragma once

#include <chrono>
#include <cstdint>

#include "schedules/schedule.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Writes down when each op of one job ran. Each rank writes to its own ops only, so that threads
/// need no lock.
class Recorder {
 public:
  explicit Recorder(const Schedule& lowered) : ids_(lowered) {
    timeline_.spans.resize(static_cast<std::size_t>(ids_.Size()));
  }

  /// Time 0 of the record.
  void Begin() { begin_ = std::chrono::steady_clock::now(); }

  Nanoseconds Now() const { return std::chrono::steady_clock::now() - begin_; }

  void Record(OpRef op, Span span) {
    timeline_.spans[static_cast<std::size_t>(ids_.Of(op))] = span;
  }

  /// Spans as in `Timeline`; no transfers yet.
  const Timeline& Recorded() const { return timeline_; }

 private:
  OpIds ids_;
  std::chrono::steady_clock::time_point begin_;
  Timeline timeline_;
};

}  // namespace stagecraft
