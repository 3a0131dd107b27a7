#include "engine/state_fit.h"

#include <string>

#include <gtest/gtest.h>

#include "engine/ranks/thread_job.h"
#include "schedules/lower.h"
#include "tests/engine/scalar_framework.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// Three stages, two batches of six micro-batches each.
TrainingPlan PlanOf(const char* name) {
  return PlanTraining(Lower(test::Make(name, {.ranks = 3, .microbatches = 6, .batches = 2})), 0, 0);
}

Snapshot Train(const TrainingPlan& plan, const TrainingTask& task,
               const Snapshot* start = nullptr) {
  test::ScalarFramework framework;
  return ReadTrainingResult(RunAsThreads(
      plan.training,
      TrainingWork({.task = &task, .plan = &plan, .framework = &framework, .start = start}), {}));
}

TrainingTask TaskWith(double momentum) {
  OptimizerOptions options;
  options.momentum = momentum;
  return test::ScalarTask(3, options);
}

struct Case {
  const char* schedule;
  const char* warning;
};

TEST(StateFit, WhatOnlyPredictionsNeedBeginsAsInAFreshRun) {
  for (const Case& each :
       {Case{"pipeoptim", "'last_gradient' of stages 0, 1, with which pipeoptim"},
        Case{"spectrain", "'last_gradient' of stages 0, 1, 2, with which spectrain"},
        Case{"pipemare", "'weight_difference' of stages 0, 1, with which pipemare"}}) {
    const TrainingTask task = TaskWith(0);
    const TrainingPlan plan = PlanOf(each.schedule);
    Snapshot start = Train(PlanOf("1f1b"), task);
    EXPECT_EQ(test::Texts(FitState(start, task, plan, "a.safetensors")),
              std::string("a.safetensors: warning: was saved by a run that did not keep ") +
                  each.warning + " predicts: zeros, as at the start of a run\n");

    // The same micro-batches and weights, without anything of before.
    SetPosition(start, 0, true);
    const Snapshot fresh{start.weights, std::nullopt};
    EXPECT_EQ(ToFiles(Train(plan, task, &start)).weights,
              ToFiles(Train(plan, task, &fresh)).weights)
        << each.schedule;
  }
}

TEST(StateFit, NothingIsSaidWhereNothingIsMissing) {
  for (const char* name : {"1f1b", "pipeoptim", "pipemare"}) {
    const TrainingTask task = TaskWith(0);
    const TrainingPlan plan = PlanOf(name);
    Snapshot start = Train(plan, task);
    const std::string before = *ToFiles(start).state;
    EXPECT_EQ(test::Texts(FitState(start, task, plan, "a.safetensors")), "");
    EXPECT_EQ(*ToFiles(start).state, before) << name;
  }
  Snapshot weights{Train(PlanOf("1f1b"), TaskWith(0)).weights, std::nullopt};
  EXPECT_EQ(test::Texts(FitState(weights, TaskWith(0.5), PlanOf("pipeoptim"), "a.safetensors")),
            "");
  EXPECT_FALSE(weights.state.has_value());
}

TEST(StateFit, AnotherOptimizerIsRefusedBeforeTheRun) {
  Snapshot start = Train(PlanOf("1f1b"), TaskWith(0));
  EXPECT_EQ(test::Texts(FitState(start, TaskWith(0.5), PlanOf("pipeoptim"), "a.safetensors")),
            "a.safetensors: error: was saved by a run with another optimizer: its state has no "
            "'momentum' of stages 0, 1, 2; expected the --optimizer and --momentum that it was "
            "saved with (or remove a.state.safetensors to start from the weights alone)\n");
}

TEST(StateFit, VersionsThatWereNotKeptAreRefusedBeforeTheRun) {
  Snapshot start = Train(PlanOf("1f1b"), TaskWith(0));
  const TrainingPlan rest = PlanTraining(
      Lower(test::Make("pipedream-2bw",
                       {.ranks = 3, .microbatches = 6, .batches = 3, .drain_every = 6})),
      6, 0, MicrobatchRange{6, 18});
  EXPECT_EQ(test::Texts(FitState(start, TaskWith(0), rest, "a.safetensors")),
            "a.safetensors: error: has no 'version-1' of stages 0, 1, 2, which pipedream-2bw "
            "reads; expected a snapshot of that schedule (or remove a.state.safetensors to "
            "start from the weights alone)\n");
}

}  // namespace
}  // namespace stagecraft
