#include "engine/torch/torch_framework.h"

#include <thread>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/engine/torch/model_interpreter.h"
#include "tests/engine/torch/small_tasks.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TEST(TorchFramework, SaysWhichVersionItIs) {
  EXPECT_EQ(TorchFramework().Version().rfind("LibTorch 2.", 0), 0U) << TorchFramework().Version();
}

TEST(TorchFramework, ComputesOnOneThreadPerRank) {
  std::thread([] {
    TorchFramework().PrepareThread({});
    EXPECT_EQ(at::get_num_threads(), 1);
  }).join();
}

TEST(TorchFramework, WhatLibTorchThrowsIsOneMessage) {
  // A token that the embedding does not have.
  const test::SmallModel gpt = test::SmallModels()[2];
  TrainingTask task = test::SmallTask(gpt, 1, test::Momentum());
  task.model.stages[0][0] = MakeLayer(LayerKind::kEmbedding, {2, 8});
  const TrainingPlan plan =
      PlanTraining(Lower(test::Make("1f1b", {.ranks = 1, .microbatches = 1})), 0, 0);
  try {
    test::ExecuteTraining(plan, task);
    FAIL() << "expected an error";
  } catch (const JobError& error) {
    const std::string what = error.what();
    EXPECT_EQ(what.rfind("rank 0, op 0 (0F0@0): ", 0), 0U) << what;
    EXPECT_NE(what.find("index out of range"), std::string::npos) << what;
    EXPECT_EQ(what.find("frame #"), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace stagecraft
