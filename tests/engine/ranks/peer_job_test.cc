#include "engine/ranks/peer_job.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "engine/ranks/peers.h"
#include "engine/ranks/thread_job.h"
#include "engine/training.h"
#include "schedules/lower.h"
#include "tests/engine/disturbed_stage.h"
#include "tests/engine/scalar_framework.h"
#include "tests/engine/scalar_model.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// All ranks as threads with connections of their own, as processes would have them.
struct Outcome {
  std::vector<std::string> results;  ///< Of rank 0.
  std::vector<std::string> failures;
};

Outcome RunPeers(const ExecutionPlan& plan, const MakeWork& work, const JobOptions& options = {}) {
  const std::int32_t ranks = plan.schedule.shape.ranks;
  MemoryStore store;
  Outcome outcome;
  outcome.failures.resize(static_cast<std::size_t>(ranks));
  std::vector<std::jthread> threads;
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        Mesh mesh =
            ConnectMesh(store, {.rank = rank, .ranks = ranks, .pairs = PairsThatTalk(plan)});
        std::vector<std::string> results = RunAsPeer(plan, work, options, rank, std::move(mesh));
        if (rank == 0) {
          outcome.results = std::move(results);
        }
      } catch (const Error& error) {
        outcome.failures[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  }
  threads.clear();
  return outcome;
}

TEST(RunAsPeer, TrainsToTheBitsOfThreads) {
  for (const char* name : {"1f1b", "pipedream", "pipeoptim"}) {
    OptimizerOptions optimizer;
    optimizer.momentum = 0.5;
    const TrainingTask task = test::ScalarTask(3, optimizer);
    const TrainingPlan plan =
        PlanTraining(Lower(test::Make(name, {.ranks = 3, .microbatches = 12})), 0, 0);
    test::ScalarFramework framework;
    const MakeWork work = TrainingWork({.task = &task, .plan = &plan, .framework = &framework});
    std::atomic<int> losses{0};
    const Outcome outcome = RunPeers(
        plan.training, work, {.on_report = [&](std::int32_t, std::string_view bytes) {
          const bool is_loss = ReadTrainingReport(bytes).kind == TrainingReport::Kind::kTraining;
          losses += is_loss ? 1 : 0;
        }});
    EXPECT_EQ(outcome.failures, std::vector<std::string>(3));
    EXPECT_EQ(outcome.results, RunAsThreads(plan.training, work));
    EXPECT_EQ(losses, 12) << name;
  }
}

TEST(RunAsPeer, AFailureIsToldOnRankZeroAndEndsAll) {
  const ExecutionPlan plan =
      PlanExecution(Lower(test::Make("1f1b", {.ranks = 3, .microbatches = 6})));
  for (std::int32_t failing = 0; failing < 3; ++failing) {
    test::ScalarResult result;
    const Outcome outcome = RunPeers(
        plan, RunProgramOf(plan, [&](std::int32_t rank) {
          std::map<std::int32_t, StagePart> parts = test::ScalarParts(plan, rank, result);
          if (rank == failing) {
            parts[rank].stage = std::make_unique<test::DisturbedStage>(
                std::move(parts[rank].stage), 3, [] { throw std::runtime_error("out of memory"); });
          }
          return parts;
        }));
    for (std::int32_t rank = 0; rank < 3; ++rank) {
      const std::string& failure = outcome.failures[static_cast<std::size_t>(rank)];
      const std::string expected = "rank " + std::to_string(failing) + ", op ";
      if (rank == 0 || rank == failing) {
        EXPECT_EQ(failure.rfind(expected, 0), 0U) << failure;
        EXPECT_NE(failure.find("out of memory"), std::string::npos) << failure;
      } else {
        EXPECT_EQ(failure, "the job ended early; rank 0 says why");
      }
    }
  }
}

}  // namespace
}  // namespace stagecraft
