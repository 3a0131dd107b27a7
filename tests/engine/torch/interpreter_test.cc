// The executor against a second, obvious implementation, bit for bit.

#include <cstring>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "schedules/option_check.h"
#include "tests/engine/torch/model_interpreter.h"
#include "tests/engine/torch/small_tasks.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Difference;
using test::ExecuteTraining;
using test::InterpretTraining;
using test::SmallModel;

/// Runs `schedule` both ways and says where they differ.
std::string Compare(const Schedule& schedule, const TrainingTask& task) {
  const TrainingPlan plan = PlanTraining(Lower(schedule), 0, 0);
  return Difference(ExecuteTraining(plan, task), InterpretTraining(plan.training.schedule, task));
}

GeneratorOptions OptionsFor(const Generator& generator, std::int32_t ranks) {
  GeneratorOptions options{.ranks = ranks, .microbatches = 4, .batches = 2};
  if ((generator.takes & kTakesDrainEvery) != 0) {
    options.drain_every = 4;
  }
  return options;
}

TEST(Interpreter, EveryGeneratorModelAndOptimizerGivesTheSameBits) {
  int compared = 0;
  for (const Generator& generator : Generators()) {
    for (std::int32_t ranks = 1; ranks <= 4; ++ranks) {
      const GeneratorOptions options = OptionsFor(generator, ranks);
      if (!CheckOptions(generator, options).empty()) {
        continue;
      }
      const Schedule schedule = *Generate(generator.name, options).value;
      constexpr std::int32_t kUnits = 4;  // Of each model.
      for (const SmallModel& model : test::SmallModels()) {
        if (schedule.shape.stages > kUnits) {
          continue;
        }
        for (const OptimizerOptions& optimizer : {test::Momentum(), test::Adam()}) {
          EXPECT_EQ(Compare(schedule, test::SmallTask(model, schedule.shape.stages, optimizer)), "")
              << generator.name << ' ' << ranks << ' ' << model.name;
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 300);
}

TEST(Interpreter, EveryOptionOfOptimizersAndPredictionsGivesTheSameBits) {
  const SmallModel model = test::SmallModels().front();
  std::vector<OptimizerOptions> all;
  for (const Displacement displacement : {Displacement::kLast, Displacement::kNext}) {
    OptimizerOptions sgd;
    sgd.displacement = displacement;
    all.push_back(sgd);  // Without a momentum.
    sgd = test::Momentum();
    sgd.displacement = displacement;
    sgd.dampening = 0.1;
    sgd.weight_decay = 0.01;
    all.push_back(sgd);
    sgd.dampening = 0;
    sgd.nesterov = true;
    sgd.clip_norm = 0.5;
    all.push_back(sgd);
    OptimizerOptions adam = test::Adam();
    adam.displacement = displacement;
    adam.constant_correction = true;
    adam.weight_decay = 0.02;
    all.push_back(adam);
    adam.kind = OptimizerKind::kAdamW;
    adam.constant_correction = false;
    adam.prediction_decay = true;
    all.push_back(adam);
  }
  for (const char* name : {"spectrain", "pipeoptim", "pipemare", "xpipe"}) {
    const Schedule schedule = test::Make(name, {.ranks = 3, .microbatches = 8});
    for (const OptimizerOptions& optimizer : all) {
      for (const ElementType type : {ElementType::kFloat32, ElementType::kFloat64}) {
        EXPECT_EQ(Compare(schedule, test::SmallTask(model, 3, optimizer, type)), "") << name;
      }
    }
  }
}

TEST(Interpreter, ReplicasRecomputationAndSplitBackwardsGiveTheSameBits) {
  const Schedule replicated =
      test::Make("pipedream", {.ranks = 4, .microbatches = 6, .replicas = {3, 1}});
  const Schedule recomputed = test::Make(
      "gpipe", {.ranks = 4, .microbatches = 4, .batches = 2, .checkpoint = Checkpoint::kAll});
  const Schedule split = test::ParseOk(
      "stagecraft schedule 1\n"
      "shape     ranks 2 stages 2 microbatches 4\n"
      "place     0: 0\n"
      "place     1: 1\n"
      "rank 0    0F0@0 0F1@0 0I0@0 0F2@0 0I1@0 0F3@0 0I2@0 0W0@0 0I3@0 0W1@0 0W2@0 0W3@0 0S@0\n"
      "rank 1    1F0@0 1I0@0 1F1@0 1I1@0 1W0@0 1F2@0 1I2@0 1W1@0 1F3@0 1I3@0 1W2@0 1W3@0 1S@0\n");
  for (const SmallModel& model : test::SmallModels()) {
    for (const Schedule& schedule : {replicated, recomputed, split}) {
      EXPECT_EQ(Compare(schedule, test::SmallTask(model, schedule.shape.stages, test::Momentum())),
                "")
          << model.name << ' ' << schedule.name;
    }
  }
}

/// The same task with its data cut into micro-batches of these sizes, again and again.
TrainingTask WithSizes(TrainingTask task, const std::vector<std::int64_t>& sizes) {
  const std::unique_ptr<BatchSource> source = task.training();
  std::vector<DataSet> batches;
  std::int64_t sample = 0;
  for (const std::int64_t size : sizes) {
    const auto cut = [&](const HostTensor& four, HostTensor& to, std::int64_t row) {
      const std::size_t bytes = four.memory.bytes / 4;
      std::memcpy(to.memory.data + static_cast<std::size_t>(row) * bytes,
                  four.memory.data + static_cast<std::size_t>(sample % 4) * bytes, bytes);
    };
    DataSet batch;
    for (std::int64_t row = 0; row < size; ++row, ++sample) {  // The source gives four at a time.
      const HostTensor x = source->Input(sample / 4);
      const HostTensor y = source->Target(sample / 4);
      if (row == 0) {
        batch = {MakeHostTensor(x.type, x.shape), MakeHostTensor(y.type, y.shape)};
        batch.x.shape.front() = batch.y.shape.front() = size;
        batch = {MakeHostTensor(x.type, batch.x.shape), MakeHostTensor(y.type, batch.y.shape)};
      }
      cut(x, batch.x, row);
      cut(y, batch.y, row);
    }
    batches.push_back(std::move(batch));
  }
  const auto all = std::make_shared<const std::vector<DataSet>>(std::move(batches));
  task.training = [all] {
    return std::make_unique<RecordedBatches>(all, static_cast<std::int64_t>(all->size()));
  };
  return task;
}

TEST(Interpreter, MicrobatchesOfUnequalSizeGiveTheSameBits) {
  for (const Generator& generator : Generators()) {
    const GeneratorOptions options = OptionsFor(generator, 2);
    if (!CheckOptions(generator, options).empty()) {
      continue;
    }
    const Schedule schedule = *Generate(generator.name, options).value;
    const SmallModel gpt = test::SmallModels()[2];
    if (schedule.shape.stages <= 4) {
      EXPECT_EQ(
          Compare(schedule, WithSizes(test::SmallTask(gpt, schedule.shape.stages, test::Adam()),
                                      {3, 1, 7, 5})),
          "")
          << generator.name;
    }
  }
}

TEST(Interpreter, AnUpdateIsTheMeanOverItsSamplesHoweverTheyAreSplit) {
  OptimizerOptions sgd = test::Momentum();
  sgd.clip_norm = 0.5;  // Of the mean too; of each stage by itself.
  const SmallModel mlp = test::SmallModels().front();
  const auto train = [&](const Schedule& schedule, const std::vector<std::int64_t>& sizes) {
    const TrainingTask task =
        test::SmallTask(mlp, schedule.shape.stages, sgd, ElementType::kFloat64);
    return test::ExecuteTraining(PlanTraining(Lower(schedule), 0, 0), WithSizes(task, sizes));
  };
  const struct {
    const char* name;
    std::vector<std::int64_t> sizes;
  } splits[] = {{"gpipe", {1, 7}},         {"1f1b", {7, 1}},
                {"1f1b", {2, 1, 4, 1}},    {"zb-h1", {3, 5}},
                {"data-parallel", {1, 7}}, {"data-parallel", {1, 3, 2, 2}},
                {"chimera", {1, 3, 2, 2}}, {"dualpipe-v", {1, 3, 1, 3}}};
  for (const auto& [name, sizes] : splits) {
    const Schedule schedule = test::Make(
        name, {.ranks = 2, .microbatches = static_cast<std::int32_t>(sizes.size()), .batches = 3});
    const Schedule plain =
        test::Make("sequential", {.ranks = schedule.shape.stages, .microbatches = 1, .batches = 3});
    const test::TrainedModel whole = train(plain, {8});
    const test::TrainedModel split = train(schedule, sizes);
    for (const auto& [parameter, values] : whole.weights) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR(split.weights.at(parameter)[i], values[i], 1e-13) << name << ' ' << parameter;
      }
    }
  }
}

TEST(Interpreter, AnErrorInAVersionIsSeen) {
  // What the comparison is worth: one prediction less far ahead, and the bits differ.
  const SmallModel model = test::SmallModels().front();
  const TrainingTask task = test::SmallTask(model, 3, test::Momentum());
  Schedule schedule = test::Make("pipeoptim", {.ranks = 3, .microbatches = 8});
  const TrainingPlan plan = PlanTraining(Lower(schedule), 0, 0);
  const Schedule steady =
      test::Make("pipeoptim", {.ranks = 3, .microbatches = 8, .horizon = HorizonRule::kCode});
  EXPECT_NE(Difference(ExecuteTraining(plan, task), InterpretTraining(Lower(steady), task)), "");
}

}  // namespace
}  // namespace stagecraft
