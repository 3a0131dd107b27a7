// The executor against a second, obvious implementation, bit for bit.

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
