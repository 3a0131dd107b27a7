// Five approaches on the measured profile of VGG-16, four stages, micro-batches of 16 samples: what
// the simulation says as counters, next to how long it takes to say it. In a table of the results
// of a CI, the counters must not change unless a figure of the simulation does.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

#include <benchmark/benchmark.h>

#include "schedules/lower.h"
#include "schedules/registry.h"
#include "schedules/verify.h"
#include "sim/metrics.h"
#include "sim/simulate.h"
#include "traces/profile.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kStages = 4;
constexpr double kMicrobatchSize = 16;

Costs Vgg16Costs() {
  const std::string path = STAGECRAFT_SOURCE_DIR "/traces/recorded/vgg16.profile.json";
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Profile profile = OrThrow(ParseProfile(text, path));
  return OrThrow(StageCostsOf(
      profile, OrThrow(BalancedPartition(profile, kStages, kMicrobatchSize)), {kMicrobatchSize}));
}

void Approach(benchmark::State& state, const char* name) {
  Costs costs = Vgg16Costs();
  const Topology topology{.latency = std::chrono::microseconds(10), .bandwidth = 100e9};
  Metrics metrics;
  for (auto _ : state) {
    const Schedule schedule =
        Lower(OrThrow(Generate(name, {.ranks = kStages, .microbatches = 8, .batches = 32})));
    if (!Verify(schedule).empty()) {
      state.SkipWithError("the schedule is wrong");
    }
    metrics = Measure(schedule, Simulate(schedule, costs, topology), costs);
  }
  std::int32_t staleness = 0;
  for (const StageMetrics& stage : metrics.stages) {
    staleness = std::max(staleness, stage.staleness_steady.value_or(0));
  }
  state.counters["samples_per_second"] = metrics.samples_per_second;
  state.counters["bubble_percent"] = 100 * metrics.bubble;
  state.counters["staleness_updates"] = staleness;
}

BENCHMARK_CAPTURE(Approach, gpipe, "gpipe")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Approach, pipedream, "pipedream")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Approach, pipedream_2bw, "pipedream-2bw")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Approach, spectrain, "spectrain")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Approach, pipeoptim, "pipeoptim")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace stagecraft
