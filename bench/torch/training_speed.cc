// Seconds per batch of three models on two ranks, against the same training on one, with the same
// code: 1 is no gain, and the ideal is p m / (m + p - 1) times. Also what a change of version
// costs.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "engine/data/data_set.h"
#include "engine/model/built_in_models.h"
#include "engine/model/cut.h"
#include "engine/ranks/thread_job.h"
#include "engine/torch/flat_parameters.h"
#include "engine/torch/torch_framework.h"
#include "engine/training.h"
#include "schedules/lower.h"
#include "schedules/registry.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kMicrobatches = 8;
constexpr std::int32_t kBatches = 5;

/// A model of those that other tools were measured with.
struct SpeedModel {
  std::vector<std::vector<Layer>> units;
  TeacherOptions data;
  std::int32_t microbatch_size;
};

std::vector<std::vector<Layer>> EqualUnits(std::int64_t width) {
  using enum LayerKind;
  const auto size = static_cast<double>(width);
  return std::vector<std::vector<Layer>>(8, {MakeLayer(kLinear, {size, size}), MakeLayer(kRelu)});
}

SpeedModel ModelOf(std::int64_t index) {
  using Task = TeacherOptions::Task;
  if (index == 0) {
    return {EqualUnits(64), {Task::kRegression, 400, 64, 64, 1, 1}, 8};
  }
  if (index == 1) {
    return {EqualUnits(1024), {Task::kRegression, 400, 1024, 1024, 1, 1}, 32};
  }
  return {GptUnits({.vocabulary = 512, .length = 128, .width = 256, .heads = 4, .blocks = 4}),
          {Task::kTokens, 50, 1, 512, 128, 1},
          4};
}

TrainingTask TaskOf(const SpeedModel& model, std::int32_t stages) {
  TrainingTask task;
  const auto data =
      std::make_shared<const SplitData>(TeacherData(model.data, ElementType::kFloat32));
  const TensorShape& shape = data->training.x.shape;
  task.sample = {shape.begin() + 1, shape.end()};
  task.model = CutModel(model.units, EvenCut(WorkOfUnits(model.units, task.sample), stages), "m");
  task.loss =
      model.data.task == TeacherOptions::Task::kTokens ? Loss::kCrossEntropy : Loss::kMeanSquares;
  task.optimizer.momentum = 0.9;
  task.learning_rate = LearningRate({1e-3});
  const ShuffledBatches::Options options{model.microbatch_size,
                                         shape.front() / model.microbatch_size, 1};
  task.training = [data, options] {
    return std::make_unique<ShuffledBatches>(std::shared_ptr<const DataSet>(data, &data->training),
                                             options);
  };
  return task;
}

/// Seconds from the first op of the second batch to the last of the last one, per batch.
double SecondsPerBatch(const std::string& schedule, std::int32_t ranks, const SpeedModel& model) {
  const TrainingPlan plan = PlanTraining(
      Lower(OrThrow(Generate(
          schedule, {.ranks = ranks, .microbatches = kMicrobatches, .batches = kBatches}))),
      0, 0);
  const TrainingTask task = TaskOf(model, ranks);
  TorchFramework framework;
  Recorder recorder(plan.training.schedule);
  RunAsThreads(plan.training, TrainingWork({.task = &task, .plan = &plan, .framework = &framework}),
               {.recorder = &recorder});
  const std::vector<Drain> drains = FindDrains(plan.training.schedule);
  const auto first = static_cast<std::size_t>(drains.front().end.front());
  const Nanoseconds begin = recorder.Recorded().spans[first].start;
  return std::chrono::duration<double>(Makespan(recorder.Recorded()) - begin).count() /
         (kBatches - 1);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Arguments: model, and 0 for 1f1b or 1 for gpipe. One rank and two take turns.
void TwoRanks(benchmark::State& state) {
  const SpeedModel model = ModelOf(state.range(0));
  const std::string schedule = state.range(1) == 0 ? "1f1b" : "gpipe";
  std::vector<double> one;
  std::vector<double> two;
  for (auto _ : state) {
    one.push_back(SecondsPerBatch(schedule, 1, model));
    two.push_back(SecondsPerBatch(schedule, 2, model));
  }
  constexpr double kIdeal = 2.0 * kMicrobatches / (kMicrobatches + 2 - 1);
  state.counters["one_rank_ms"] = 1e3 * Median(one);
  state.counters["two_ranks_ms"] = 1e3 * Median(two);
  state.counters["speedup"] = Median(one) / Median(two);
  state.counters["share_of_ideal"] = Median(one) / Median(two) / kIdeal;
}
BENCHMARK(TwoRanks)
    ->ArgNames({"model_tiny_mlp_gpt", "gpipe"})
    ->ArgsProduct({{0, 1, 2}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// Binding one version and then another, with as many parameters as the argument says.
void VersionSwitch(benchmark::State& state) {
  Model model{"m", {{}}};
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    model.stages[0].push_back(MakeLayer(LayerKind::kLayerNorm, {16}));
  }
  const StageLayout layout = LayoutOf(model, 0);
  WeightStore store({.elements = layout.elements, .needs = {.slots = 2}});
  FlatParameters parameters(layout.parameters, store, at::kFloat);
  std::int32_t slot = 0;
  for (auto _ : state) {
    slot = 1 - slot;
    parameters.Bind(slot);
    benchmark::DoNotOptimize(parameters.Leaves().front().data_ptr());
  }
  if (parameters.Leaves().front().data_ptr() != store.Slot(slot)) {
    state.SkipWithError("another slot is bound");
  }
}
BENCHMARK(VersionSwitch)->Arg(1)->Arg(1000);

}  // namespace
}  // namespace stagecraft
