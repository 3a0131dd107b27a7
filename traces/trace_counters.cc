#include "traces/trace_counters.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/staleness.h"
#include "schedules/weight_slots.h"

namespace stagecraft {
namespace {

/// Keeps the last sample of each moment, then those that change the value, and ends at `end`.
std::vector<CounterSample> Tidied(std::vector<CounterSample> samples, Nanoseconds end) {
  const auto earlier = [](const CounterSample& a, const CounterSample& b) {
    return a.time < b.time;
  };
  if (!std::is_sorted(samples.begin(), samples.end(), earlier)) {
    std::stable_sort(samples.begin(), samples.end(), earlier);
  }
  std::vector<CounterSample> tidied;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const bool last = i + 1 == samples.size() || samples[i + 1].time != samples[i].time;
    if (last && (tidied.empty() || tidied.back().value != samples[i].value)) {
      tidied.push_back(samples[i]);
    }
  }
  if (!tidied.empty() && tidied.back().time < end) {
    tidied.push_back({end, tidied.back().value});
  }
  return tidied;
}

}  // namespace

TraceCounters::TraceCounters(const Schedule& schedule, const Timeline& timeline,
                             std::span<const StageSizes> sizes)
    : schedule_(schedule),
      timeline_(timeline),
      sizes_(sizes),
      ids_(schedule),
      staleness_(static_cast<std::size_t>(ids_.Size()), -1),
      end_(Makespan(timeline)) {
  for (const GradientUse& use : GradientUses(schedule)) {
    staleness_[static_cast<std::size_t>(ids_.Of(use.gradient))] = use.step_version - use.version;
  }
}

std::vector<CounterSeries> TraceCounters::Of(std::int32_t rank) const {
  std::vector<CounterSeries> counters;
  counters.push_back({"memory", "bytes", Curve(rank, MemoryLevels(schedule_, sizes_, rank))});
  counters.push_back({"activations", "sets", Curve(rank, ActivationSetLevels(schedule_, rank))});
  counters.push_back(Weights(rank));
  const std::vector<std::int32_t>& stages = schedule_.placement[static_cast<std::size_t>(rank)];
  for (const std::int32_t stage : stages) {
    CounterSeries series = Staleness(rank, stage);
    if (stages.size() > 1) {
      series.name += " of stage " + std::to_string(stage);
    }
    counters.push_back(std::move(series));
  }
  std::erase_if(counters, [](const CounterSeries& series) { return series.samples.empty(); });
  for (CounterSeries& series : counters) {
    series.samples = Tidied(std::move(series.samples), end_);
  }
  return counters;
}

const Span& TraceCounters::SpanOf(std::int32_t rank, std::size_t index) const {
  return timeline_.spans[static_cast<std::size_t>(ids_.Begin(rank)) + index];
}

/// The members of a cell start and end together.
std::vector<CounterSample> TraceCounters::Curve(std::int32_t rank,
                                                const std::vector<MemoryLevel>& levels) const {
  const std::vector<Op>& program = schedule_.programs[static_cast<std::size_t>(rank)];
  std::vector<CounterSample> samples;
  samples.reserve(2 * levels.size());
  std::size_t cell = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    samples.push_back({SpanOf(rank, i).start, levels[i].during});
    for (; !program[i].joined && cell <= i; ++cell) {
      samples.push_back({SpanOf(rank, cell).end, levels[cell].after});
    }
  }
  return samples;
}

CounterSeries TraceCounters::Weights(std::int32_t rank) const {
  CounterSeries series{"weights", "versions", {}};
  const auto stages = schedule_.placement[static_cast<std::size_t>(rank)].size();
  series.samples.push_back({Nanoseconds{0}, static_cast<std::int64_t>(stages)});
  const std::vector<std::int32_t> copies = WeightCopiesAfter(schedule_, rank);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    series.samples.push_back({SpanOf(rank, i).end, copies[i]});
  }
  return series;
}

CounterSeries TraceCounters::Staleness(std::int32_t rank, std::int32_t stage) const {
  CounterSeries series{"staleness", "updates", {}};
  const std::vector<Op>& program = schedule_.programs[static_cast<std::size_t>(rank)];
  for (std::size_t i = 0; i < program.size(); ++i) {
    const std::int32_t missed = StalenessOf(ids_.Begin(rank) + static_cast<std::int32_t>(i));
    if (program[i].stage == stage && missed >= 0) {
      series.samples.push_back({SpanOf(rank, i).end, missed});
    }
  }
  return series;
}

}  // namespace stagecraft
