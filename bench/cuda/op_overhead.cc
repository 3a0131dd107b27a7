// What it costs the program to give one op to a GPU through a DeviceQueue: with and without the
// events that tell when it ran. The ops are empty. Without a GPU it says so.

#include <chrono>
#include <cstdint>
#include <memory>

#include <benchmark/benchmark.h>

#include "bench/cuda/gpu_timing.h"
#include "engine/cuda/cuda_framework.h"
#include "engine/device_queue.h"
#include "engine/ranks/thread_transport.h"

namespace stagecraft {
namespace {

/// Forwards of one stage on one rank.
Schedule Forwards(std::int32_t count) {
  Schedule schedule;
  schedule.shape = {1, 1, count};
  schedule.placement = {{0}};
  schedule.programs.emplace_back();
  for (std::int32_t q = 0; q < count; ++q) {
    Op op;
    op.microbatch = q;
    schedule.programs[0].push_back(op);
  }
  return schedule;
}

void GiveOps(benchmark::State& state, bool recorded) {
  if (!HasGpu(state)) {
    return;
  }
  constexpr std::int32_t kOps = 1000;
  CudaFramework framework;
  const std::unique_ptr<Device> device = framework.PrepareThread({});
  ThreadHub hub(1, std::chrono::minutes(1));
  const std::unique_ptr<Transport> transport = hub.End(0);
  const Schedule schedule = Forwards(kOps);
  double seconds = 0;
  for (auto _ : state) {
    Recorder recorder(schedule);
    recorder.Begin();
    DeviceQueue queue(*device, *transport, recorded ? &recorder : nullptr);
    const auto begin = std::chrono::steady_clock::now();
    for (std::int32_t op = 0; op < kOps; ++op) {
      queue.Begin({0, op});
      queue.End({0, op});
    }
    queue.Drain();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    // Of all that the iteration did: the benchmark goes on until such times add up.
    state.SetIterationTime(took.count());
    seconds += took.count();
  }
  state.counters["us_per_op"] = 1e6 * seconds / (kOps * static_cast<double>(state.iterations()));
}

BENCHMARK_CAPTURE(GiveOps, plain, false)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(GiveOps, recorded, true)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
