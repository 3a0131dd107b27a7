#include "traces/trace_counters.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/tables.h"
#include "schedules/weight_slots.h"

namespace stagecraft {
namespace {

/// Keeps the last sample of each moment, then those that change the value, and ends at `end`.
Table<CounterSample> Tidied(Table<CounterSample> samples, Nanoseconds end) {
  const auto earlier = [](const CounterSample& a, const CounterSample& b) {
    return a.time < b.time;
  };
  // Sorting is the exception, and stable: the last of one moment must stay the last.
  if (!std::is_sorted(samples.begin(), samples.end(), earlier)) {
    std::stable_sort(samples.begin(), samples.end(), earlier);
  }

  Table<CounterSample> tidied;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const bool last = i + 1 == samples.size() || samples[i + 1].time != samples[i].time;
    if (last && (tidied.empty() || tidied.back().value != samples[i].value)) {
      tidied.push_back(samples[i]);
    }
  }

  // The curve goes on to the end of the run.
  if (!tidied.empty() && tidied.back().time < end) {
    tidied.push_back({end, tidied.back().value});
  }
  return tidied;
}

}  // namespace

TraceCounters::TraceCounters(const Schedule& schedule, const Timeline& timeline,
                             TableView<const StageSizes> sizes)
    : schedule_(schedule),
      timeline_(timeline),
      sizes_(sizes),
      ids_(schedule),
      staleness_(schedule, -1),
      end_(Makespan(timeline)) {
  for (const GradientUse& use : GradientUses(schedule)) {
    staleness_[use.gradient] = use.step_version - use.version;
  }
}

Table<CounterSeries> TraceCounters::Of(std::int32_t rank) const {
  Table<CounterSeries> counters;
  counters.push_back({"memory", "bytes", Curve(rank, MemoryLevels(schedule_, sizes_, rank))});
  counters.push_back({"activations", "sets", Curve(rank, ActivationSetLevels(schedule_, rank))});
  counters.push_back(Weights(rank));

  const std::vector<std::int32_t>& stages = schedule_.placement[rank];
  for (const std::int32_t stage : stages) {
    CounterSeries series = Staleness(rank, stage);
    if (stages.size() > 1) {
      series.name += " of stage " + std::to_string(stage);
    }
    counters.push_back(std::move(series));
  }

  // A rank without gradients has no staleness to draw.
  std::erase_if(counters, [](const CounterSeries& series) { return series.samples.empty(); });
  for (CounterSeries& series : counters) {
    series.samples = Tidied(std::move(series.samples), end_);
  }
  return counters;
}

const Span& TraceCounters::SpanOf(std::int32_t rank, std::int32_t index) const {
  return timeline_.spans[ids_.Begin(rank) + index];
}

/// Samples at the starts and ends of ops. The members of a cell start and end together.
Table<CounterSample> TraceCounters::Curve(std::int32_t rank,
                                          const Table<MemoryLevel>& levels) const {
  const Program& program = schedule_.programs[rank];
  Table<CounterSample> samples;
  samples.reserve(2 * levels.size());
  std::int32_t cell = 0;
  for (std::int32_t i = 0; i < levels.Count(); ++i) {
    samples.push_back({SpanOf(rank, i).start, levels[i].during});
    for (; !program[i].joined && cell <= i; ++cell) {
      samples.push_back({SpanOf(rank, cell).end, levels[cell].after});
    }
  }
  return samples;
}

CounterSeries TraceCounters::Weights(std::int32_t rank) const {
  CounterSeries series{"weights", "versions", {}};
  const auto stages = schedule_.placement[rank].size();
  series.samples.push_back({Nanoseconds{0}, static_cast<std::int64_t>(stages)});
  const Table<std::int32_t> copies = WeightCopiesAfter(schedule_, rank);
  for (std::int32_t i = 0; i < copies.Count(); ++i) {
    series.samples.push_back({SpanOf(rank, i).end, copies[i]});
  }
  return series;
}

CounterSeries TraceCounters::Staleness(std::int32_t rank, std::int32_t stage) const {
  CounterSeries series{"staleness", "updates", {}};
  const Program& program = schedule_.programs[rank];
  for (std::int32_t i = 0; i < program.Count(); ++i) {
    const std::int32_t missed = StalenessOf({rank, i});
    if (program[i].stage == stage && missed >= 0) {
      series.samples.push_back({SpanOf(rank, i).end, missed});
    }
  }
  return series;
}

}  // namespace stagecraft
