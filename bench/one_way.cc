// How long a tensor takes from the op that makes it to the one that uses it on another rank:
// batches of one micro-batch, whose two ranks wait for each other all the time. Executor included.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>

#include <benchmark/benchmark.h>

#include "engine/executor.h"
#include "engine/ranks/job.h"
#include "engine/ranks/process_job.h"
#include "engine/ranks/thread_job.h"
#include "schedules/lower.h"
#include "schedules/registry.h"

namespace stagecraft {
namespace {

/// Passes the number of the micro-batch on, in a tensor of a given size.
class Postman : public Stage {
 public:
  explicit Postman(std::size_t bytes) : bytes_(bytes) {}

  Boundary Forward(std::int32_t microbatch, std::int32_t, Boundary input, bool) override {
    return Pass(microbatch, std::move(input));
  }
  void Recompute(std::int32_t, std::int32_t) override {}
  Boundary Backward(std::int32_t microbatch, std::int32_t, Boundary gradient) override {
    return Pass(microbatch, std::move(gradient));
  }
  Boundary BackwardInput(std::int32_t, std::int32_t, Boundary) override { return {}; }
  void BackwardWeight(std::int32_t, std::int32_t) override {}

 private:
  Boundary Pass(std::int32_t microbatch, Boundary tensor) const {
    if (tensor.data == nullptr) {
      tensor = MakeBoundary(bytes_);
    } else if (std::memcmp(tensor.data, &microbatch, sizeof microbatch) != 0) {
      throw std::runtime_error("another micro-batch's tensor");
    }
    std::memcpy(tensor.data, &microbatch, sizeof microbatch);
    return tensor;
  }

  std::size_t bytes_;
};

class NoWeights : public Weights {
 public:
  void Step(const StepOp&) override {}
  void Predict(const PredictOp&) override {}
  std::span<double> Gradient() override { return {}; }
};

/// Arguments: bytes, and 0 for threads or 1 for processes.
void OneWay(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  constexpr std::int32_t kBatches = 2000;
  const ExecutionPlan plan = PlanExecution(
      Lower(OrThrow(Generate("1f1b", {.ranks = 2, .microbatches = 1, .batches = kBatches}))));
  const MakeWork work = RunProgramOf(plan, [&](std::int32_t rank) {
    std::map<std::int32_t, StagePart> parts;
    parts[rank] = {std::make_unique<Postman>(bytes), std::make_unique<NoWeights>()};
    return parts;
  });
  double seconds = 0;
  for (auto _ : state) {
    Recorder recorder(plan.schedule);
    const auto run = state.range(1) == 0 ? RunAsThreads : RunAsProcesses;
    run(plan, work, {.recorder = &recorder});
    const double elapsed = std::chrono::duration<double>(Makespan(recorder.Recorded())).count();
    state.SetIterationTime(elapsed);
    seconds += elapsed;
  }
  // Each batch goes there and back.
  state.counters["one_way_us"] =
      1e6 * seconds / (2.0 * kBatches * static_cast<double>(state.iterations()));
}
BENCHMARK(OneWay)
    ->ArgNames({"bytes", "processes"})
    ->ArgsProduct({{4096, 1 << 20}, {0, 1}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
