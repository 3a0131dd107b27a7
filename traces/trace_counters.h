#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "schedules/activations.h"
#include "schedules/schedule.h"
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
  std::vector<CounterSample> samples;  ///< Times ascending, each once; neighbours differ in value.
};

/// Makes the curves of a timeline. Arguments are those of `ChromeTrace` and must live on.
class TraceCounters {
 public:
  TraceCounters(const Schedule& schedule, const Timeline& timeline,
                std::span<const StageSizes> sizes);

  /// The curves of one rank, up to the makespan. Of several levels at one moment the last counts:
  /// an op that takes no time leaves only what is there after it.
  std::vector<CounterSeries> Of(std::int32_t rank) const;

  /// What the gradient of the op with this id (`OpIds`) missed; -1 if it adds none, or no S
  /// follows it.
  std::int32_t StalenessOf(std::int32_t id) const {
    return staleness_[static_cast<std::size_t>(id)];
  }

 private:
  CounterSeries Weights(std::int32_t rank) const;
  CounterSeries Staleness(std::int32_t rank, std::int32_t stage) const;
  std::vector<CounterSample> Curve(std::int32_t rank, const std::vector<MemoryLevel>& levels) const;
  /// Of the op at `index` of a rank's program.
  const Span& SpanOf(std::int32_t rank, std::size_t index) const;

  const Schedule& schedule_;
  const Timeline& timeline_;
  std::span<const StageSizes> sizes_;
  OpIds ids_;
  std::vector<std::int32_t> staleness_;  ///< By op id.
  Nanoseconds end_{0};
};

}  // namespace stagecraft
