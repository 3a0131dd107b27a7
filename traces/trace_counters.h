#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "schedules/activations.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "traces/timeline.h"

namespace stagecraft {

/// The value that a counter takes at a moment, and keeps until its next sample.
struct CounterSample {
  Nanoseconds time{0};
  std::int64_t value = 0;
};

/// One curve over the whole run.
struct CounterSeries {
  std::string name;  ///< `memory`, `activations`, `weights`, `staleness`; the last one with its
                     ///< stage where the rank holds several.
  std::string unit;  ///< `bytes`, `sets`, `versions`, `updates`.
  Table<CounterSample> samples;  ///< Times ascending, each once; neighbours differ in value.
};

/// Makes the curves of a timeline. Arguments are those of `ChromeTrace` and must live on.
class TraceCounters {
 public:
  TraceCounters(const Schedule& schedule, const Timeline& timeline,
                TableView<const StageSizes> sizes);

  /// The curves of one rank, up to the makespan. Of several levels at one moment the last counts:
  /// an op that takes no time leaves only what is there after it.
  Table<CounterSeries> Of(std::int32_t rank) const;

  /// What the gradient of `op` missed; -1 if it adds none, or no S follows it.
  std::int32_t StalenessOf(OpRef op) const { return staleness_[op]; }

 private:
  /// How many versions of weights the rank holds after each op.
  CounterSeries Weights(std::int32_t rank) const;
  /// What the gradients of `stage` missed, at the end of the op that adds each.
  CounterSeries Staleness(std::int32_t rank, std::int32_t stage) const;
  /// Samples at the starts and ends of ops, out of what the rank holds during and after each.
  Table<CounterSample> Curve(std::int32_t rank, const Table<MemoryLevel>& levels) const;
  /// The span of the op at `index` of a rank's program.
  const Span& SpanOf(std::int32_t rank, std::int32_t index) const;

  const Schedule& schedule_;
  const Timeline& timeline_;
  TableView<const StageSizes> sizes_;
  OpIds ids_;
  OpTable<std::int32_t> staleness_;  ///< By op; -1: no gradient that an S uses.
  Nanoseconds end_{0};               ///< The makespan.
};

}  // namespace stagecraft
