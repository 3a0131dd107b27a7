#include "engine/torch/torch_stage.h"

#include <cmath>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/engine/torch/model_interpreter.h"
#include "tests/engine/torch/small_tasks.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Difference;
using test::ExecuteTraining;
using test::SmallModel;
using test::SmallModels;
using test::SmallTask;
using test::TrainedModel;

TrainingPlan PlanOf(const char* name, const GeneratorOptions& options) {
  return PlanTraining(Lower(test::Make(name, options)), 0, 0);
}

/// The largest difference of any weight.
double Distance(const TrainedModel& a, const TrainedModel& b) {
  double largest = 0;
  for (const auto& [name, values] : a.weights) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      largest = std::max(largest, std::abs(values[i] - b.weights.at(name)[i]));
    }
  }
  return largest;
}

/// The same training of a model cut into one stage: names of stage 0 become those of the cut.
TrainedModel Uncut(const SmallModel& model, const TrainingTask& cut,
                   const GeneratorOptions& options, const char* name) {
  TrainingTask task = SmallTask(model, 1, cut.optimizer, cut.type);
  TrainedModel whole = ExecuteTraining(PlanOf(name, options), task);
  TrainedModel renamed;
  renamed.losses = whole.losses;
  for (std::size_t stage = 0; stage < cut.model.stages.size(); ++stage) {
    const std::int64_t first = FirstLayerOf(cut.model, static_cast<std::int32_t>(stage));
    for (std::size_t layer = 0; layer < cut.model.stages[stage].size(); ++layer) {
      const std::string from =
          "stage0." + std::to_string(first + static_cast<std::int64_t>(layer)) + ".";
      const std::string to = "stage" + std::to_string(stage) + "." + std::to_string(layer) + ".";
      for (const auto& [key, values] : whole.weights) {
        if (key.starts_with(from)) {
          renamed.weights[to + key.substr(from.size())] = values;
        }
      }
    }
  }
  return renamed;
}

TEST(TorchStage, FlushSchedulesAreTrainingOnTheWholeBatch) {
  // In float64 the order of summation is all that differs: 1e-12 after 4 updates.
  for (const SmallModel& model : SmallModels()) {
    const TrainingTask task = SmallTask(model, 4, test::Momentum(), ElementType::kFloat64);
    const TrainedModel whole =
        Uncut(model, task, {.ranks = 1, .microbatches = 4, .batches = 4}, "gpipe");
    for (const char* name : {"gpipe", "1f1b"}) {
      const TrainedModel cut =
          ExecuteTraining(PlanOf(name, {.ranks = 4, .microbatches = 4, .batches = 4}), task);
      EXPECT_LT(Distance(cut, whole), 1e-12) << name << ' ' << model.name;
    }
  }
}

TEST(TorchStage, OnOneRankEveryApproachIsPlainTraining) {
  // But for 2BW, which is late by definition, on one stage too.
  const SmallModel model = SmallModels().front();
  const TrainingTask task = SmallTask(model, 1, test::Momentum());
  const TrainedModel plain =
      ExecuteTraining(PlanOf("sequential", {.ranks = 1, .microbatches = 1, .batches = 8}), task);
  for (const char* name :
       {"gpipe", "1f1b", "pipedream", "spectrain", "xpipe", "pipeoptim", "pipemare"}) {
    const bool flushes = FindGenerator(name)->flushes;
    const TrainedModel other = ExecuteTraining(
        PlanOf(name, {.ranks = 1, .microbatches = flushes ? 1 : 8, .batches = flushes ? 8 : 1}),
        task);
    EXPECT_EQ(Difference(other, plain), "") << name;
  }
  EXPECT_NE(
      Difference(ExecuteTraining(PlanOf("pipedream-2bw", {.ranks = 1, .microbatches = 8}), task),
                 plain),
      "");
}

TEST(TorchStage, ARateOfZeroChangesNothing) {
  for (const SmallModel& model : SmallModels()) {
    for (const char* name : {"1f1b", "pipedream", "spectrain", "pipeoptim"}) {
      TrainingTask task = SmallTask(model, 3, test::Adam());
      task.learning_rate = LearningRate({0.0});
      TrainedModel trained = ExecuteTraining(PlanOf(name, {.ranks = 3, .microbatches = 8}), task);
      const TrainedModel before = ExecuteTraining(
          PlanTraining(Lower(test::ParseOk("stagecraft schedule 1\n"
                                           "shape     ranks 3 stages 3 microbatches 1\n"
                                           "mode      forward\n"
                                           "place     0: 0\nplace     1: 1\nplace     2: 2\n"
                                           "rank 0    0F0@0\nrank 1    1F0@0\nrank 2    2F0@0\n")),
                       0, 0),
          task);
      for (const auto& [key, values] : before.weights) {
        if (key.find("running") == std::string::npos) {
          EXPECT_EQ(trained.weights.at(key), values) << name << ' ' << model.name << ' ' << key;
        }
      }
    }
  }
}

TEST(TorchStage, TheLossFalls) {
  for (const SmallModel& model : SmallModels()) {
    for (const char* name : {"1f1b", "pipedream", "pipeoptim"}) {
      const TrainingTask task = SmallTask(model, 2, test::Adam());
      const TrainedModel trained =
          ExecuteTraining(PlanOf(name, {.ranks = 2, .microbatches = 4, .batches = 50}), task);
      double early = 0;
      double late = 0;
      for (std::int64_t q = 0; q < 16; ++q) {
        early += trained.losses.at(q);
        late += trained.losses.at(200 - 1 - q);
      }
      EXPECT_LT(late, 0.9 * early) << name << ' ' << model.name;
    }
  }
}

TEST(TorchStage, AFileRepeatedIsTheLongerSchedule) {
  const SmallModel model = SmallModels().front();
  const TrainingTask task = SmallTask(model, 2, test::Momentum());
  TrainingPlan rounds = PlanOf("1f1b", {.ranks = 2, .microbatches = 4, .batches = 1});
  rounds.rounds = 3;
  EXPECT_EQ(Difference(ExecuteTraining(rounds, task),
                       ExecuteTraining(
                           PlanOf("1f1b", {.ranks = 2, .microbatches = 4, .batches = 3}), task)),
            "");
}

TEST(TorchStage, RunningStatisticsAreNeitherVersionedNorGatheredTwice) {
  const SmallModel model = SmallModels()[1];
  const TrainingTask task = SmallTask(model, 2, test::Momentum());
  TrainingTask frozen = task;
  frozen.learning_rate = LearningRate({0.0});
  const TrainedModel plain =
      ExecuteTraining(PlanOf("gpipe", {.ranks = 2, .microbatches = 4}), frozen);
  const TrainedModel recomputed = ExecuteTraining(
      PlanOf("gpipe", {.ranks = 2, .microbatches = 4, .checkpoint = Checkpoint::kAll}), frozen);
  EXPECT_EQ(Difference(recomputed, plain), "");
  // Weights that do not move: a stash of versions must not change what is gathered.
  const TrainedModel stashed =
      ExecuteTraining(PlanOf("pipedream", {.ranks = 2, .microbatches = 4}), frozen);
  EXPECT_EQ(Difference(stashed, plain), "");
  EXPECT_NE(plain.weights.at("stage0.1.running_mean"), std::vector<double>(3, 0.0));
}

}  // namespace
}  // namespace stagecraft
