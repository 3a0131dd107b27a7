// How far a run in real time is from its prediction: stages that only take their time, ranks as
// threads. What is left of the difference is the overhead of the executor and of the hand-off, and
// how exactly this machine wakes a sleeper.

#include "engine/rehearsal.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/pipeline_fixture.h"
#include "engine/ranks/thread_job.h"
#include "sim/simulate.h"
#include "traces/timeline_difference.h"

namespace stagecraft {
namespace {

/// F 5 ms, B 10 ms.
void Rehearsal1F1B(benchmark::State& state) {
  bench::Pipeline pipeline = bench::OneFOneBPipeline(static_cast<std::int32_t>(state.range(0)),
                                                     static_cast<std::int32_t>(state.range(1)));
  for (StageCosts& stage : pipeline.costs.stages) {
    stage.forward = std::chrono::milliseconds(5);
    stage.backward = std::chrono::milliseconds(10);
  }
  const Timeline predicted = Simulate(pipeline.schedule, pipeline.costs, {});
  const ExecutionPlan plan = PlanExecution(pipeline.schedule);
  std::vector<double> errors;
  for (auto _ : state) {
    Recorder recorder(plan.schedule);
    RunAsThreads(plan, RehearsalOf(plan, pipeline.costs), {.recorder = &recorder});
    errors.push_back(Difference(plan.schedule, predicted, recorder.Recorded()).Error());
  }
  std::sort(errors.begin(), errors.end());
  if (errors.front() < 0) {
    state.SkipWithError("a rehearsal was faster than its costs");
  }
  state.counters["error_percent_median"] = 100 * errors[errors.size() / 2];
  state.counters["error_percent_worst"] = 100 * errors.back();
}

BENCHMARK(Rehearsal1F1B)
    ->Args({2, 16})
    ->Args({8, 16})
    ->Args({64, 16})
    ->Iterations(5)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// Ops that take no time: what is left is the executor and the hand-off between two threads.
void OverheadPerOp(benchmark::State& state) {
  const auto microbatches = static_cast<std::int32_t>(state.range(0));
  bench::Pipeline pipeline = bench::OneFOneBPipeline(2, microbatches);
  for (StageCosts& stage : pipeline.costs.stages) {
    stage = {};
  }
  const ExecutionPlan plan = PlanExecution(pipeline.schedule);
  std::int64_t ops = 0;
  for (auto _ : state) {
    RunAsThreads(plan, RehearsalOf(plan, pipeline.costs));
    ops += std::int64_t{4} * microbatches;  // F and B on two stages.
  }
  state.counters["time_per_compute_op"] = benchmark::Counter(
      static_cast<double>(ops), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK(OverheadPerOp)->Arg(2000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
