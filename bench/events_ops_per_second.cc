// How fast the event-driven engine simulates, from the schedule to the timeline. An op here is an
// op of the lowered schedule, SENDs and RECVs included.

#include <cstdint>
#include <optional>

#include <benchmark/benchmark.h>

#include "bench/pipeline_fixture.h"
#include "schedules/dependencies.h"
#include "sim/events.h"
#include "sim/simulate.h"

namespace stagecraft {
namespace {

void Events1F1B(benchmark::State& state) {
  const bench::Pipeline pipeline = bench::OneFOneBPipeline(
      static_cast<std::int32_t>(state.range(0)), static_cast<std::int32_t>(state.range(1)));
  const Dependencies dependencies = FindDependencies(pipeline.schedule);
  std::optional<Timeline> timeline;
  for (auto _ : state) {
    timeline = RunEvents(pipeline.schedule, dependencies, pipeline.costs, {});
    benchmark::DoNotOptimize(timeline);
  }
  const auto ops = static_cast<std::int64_t>(timeline->spans.size());
  if (Makespan(*timeline) != pipeline.makespan ||
      *timeline != Simulate(pipeline.schedule, pipeline.costs, {})) {
    state.SkipWithError("the engines disagree");
  }
  state.SetItemsProcessed(state.iterations() * ops);
  state.counters["ops"] = static_cast<double>(ops);
  state.counters["time_per_op"] =
      benchmark::Counter(static_cast<double>(state.iterations() * ops),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK(Events1F1B)->Args({8, 373})->Args({64, 2730})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
