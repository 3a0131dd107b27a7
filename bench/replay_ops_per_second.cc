// How fast a compiled order is replayed under new costs: makespan, busy time and peak memory of
// every rank in one sweep. An op here is an op of the lowered schedule, SENDs and RECVs included.

#include <algorithm>
#include <cstdint>
#include <optional>

#include <benchmark/benchmark.h>

#include "bench/pipeline_fixture.h"
#include "schedules/dependencies.h"
#include "sim/replay.h"

namespace stagecraft {
namespace {

void Replay1F1B(benchmark::State& state) {
  const auto ranks = static_cast<std::int32_t>(state.range(0));
  const auto microbatches = static_cast<std::int32_t>(state.range(1));
  const bench::Pipeline pipeline = bench::OneFOneBPipeline(ranks, microbatches);
  const std::optional<CompiledSchedule> compiled =
      Compile(pipeline.schedule, FindDependencies(pipeline.schedule), SendMode::kEager,
              SizesOf(pipeline.costs));
  ReplayState replay;
  for (auto _ : state) {
    Replay(*compiled, pipeline.costs, {}, replay);
    benchmark::DoNotOptimize(replay.makespan);
  }
  const std::int64_t ops = compiled->ids.Size();
  if (replay.makespan != pipeline.makespan ||
      replay.ranks[0].busy != microbatches * std::chrono::milliseconds(3) ||
      replay.ranks[0].peak_bytes < 100 * std::int64_t{std::min(ranks, microbatches)}) {
    state.SkipWithError("the replay is wrong");
  }
  state.SetItemsProcessed(state.iterations() * ops);
  state.counters["ops"] = static_cast<double>(ops);
  state.counters["time_per_op"] =
      benchmark::Counter(static_cast<double>(state.iterations() * ops),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// 16 thousand ops: 8 ranks, 373 micro-batches. 1 million: 64 ranks, 2,730 micro-batches.
BENCHMARK(Replay1F1B)->Args({8, 373})->Args({64, 2730})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
