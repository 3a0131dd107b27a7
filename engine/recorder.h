#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/transport.h"
#include "engine/weights.h"
#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Writes down when each op of one job ran. Each rank writes to its own ops only, so that threads
/// need no lock. The schedule must live on.
class Recorder {
 public:
  explicit Recorder(const Schedule& lowered)
      : lowered_(lowered), spans_(lowered), reads_(lowered, kNoRead), arrivals_(lowered) {}

  /// Sets time 0 of the record.
  void Begin(std::chrono::steady_clock::time_point time = std::chrono::steady_clock::now()) {
    begin_ = time;
  }

  Nanoseconds Now() const { return At(std::chrono::steady_clock::now()); }
  Nanoseconds At(std::chrono::steady_clock::time_point time) const { return time - begin_; }

  void Record(OpRef op, Span span) { spans_[op] = span; }

  /// Writes down what an op found in the slot that it read.
  void RecordRead(OpRef op, SlotContent content) { reads_[op] = content; }

  /// Writes down when the tensor of a RECV arrived.
  void RecordArrival(OpRef recv, Nanoseconds time, std::size_t bytes) {
    arrivals_[recv] = {time, static_cast<std::int64_t>(bytes)};
  }

  /// The record of one rank as bytes, for another process of this program, and how many they are.
  std::string Bytes(std::int32_t rank) const;
  static std::size_t BytesOf(const Schedule& lowered, std::int32_t rank);

  /// Takes the record of `rank` from the front of `bytes`.
  void Adopt(std::int32_t rank, std::string_view bytes);

  /// The timeline of all ops and transfers; a transfer starts with its SEND. O(ops).
  Timeline Recorded() const;

  /// What each op found in the slot that it read; `kNoRead` for ops that read none, and where
  /// nobody keeps account.
  const OpTable<SlotContent>& Reads() const { return reads_; }
  static constexpr SlotContent kNoRead{-1, 0};

 private:
  struct Arrival {
    Nanoseconds time{0};
    std::int64_t bytes = 0;
  };

  const Schedule& lowered_;
  std::chrono::steady_clock::time_point begin_;
  OpTable<Span> spans_;
  OpTable<SlotContent> reads_;
  OpTable<Arrival> arrivals_;  ///< Only those of RECVs are set.
};

}  // namespace stagecraft
