#include "engine/ranks/thread_job.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/engine/disturbed_stage.h"
#include "tests/engine/scalar_model.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::ScalarResult;

std::string FailureOf(const ExecutionPlan& plan, const MakeParts& parts,
                      std::chrono::nanoseconds deadline = std::chrono::minutes(1)) {
  try {
    RunAsThreads(plan, RunProgramOf(plan, parts), {.deadline = deadline});
  } catch (const JobError& error) {
    return error.what();
  }
  return "no failure";
}

TEST(RunAsThreads, FirstFailureWinsAndEverybodyStops) {
  for (const char* name : {"gpipe", "1f1b", "pipedream", "spectrain"}) {
    const ExecutionPlan plan = PlanExecution(Lower(Make(name, {.ranks = 4, .microbatches = 8})));
    for (std::int32_t failing = 0; failing < 4; ++failing) {
      ScalarResult result;
      const std::string failure = FailureOf(plan, [&](std::int32_t rank) {
        std::map<std::int32_t, StagePart> parts = test::ScalarParts(plan, rank, result);
        if (rank == failing) {
          parts[rank].stage = std::make_unique<test::DisturbedStage>(
              std::move(parts[rank].stage), 3, [] { throw std::runtime_error("out of memory"); });
        }
        return parts;
      });
      EXPECT_EQ(failure.rfind("rank " + std::to_string(failing) + ", op ", 0), 0U) << failure;
      EXPECT_NE(failure.find("B3@"), std::string::npos) << failure;
      EXPECT_NE(failure.find(": out of memory"), std::string::npos) << failure;
    }
  }
}

TEST(RunAsThreads, AFailureWhileSettingUpStopsEverybody) {
  const ExecutionPlan plan = PlanExecution(Lower(Make("1f1b", {.ranks = 3, .microbatches = 4})));
  ScalarResult result;
  EXPECT_EQ(FailureOf(plan,
                      [&](std::int32_t rank) {
                        if (rank == 1) {
                          throw std::runtime_error("no such device");
                        }
                        return test::ScalarParts(plan, rank, result);
                      }),
            "rank 1, op 0 (set-up): no such device");
}

/// Stays in its first forward until nobody waits for it any more.
class HangingStage : public Stage {
 public:
  explicit HangingStage(std::atomic<bool>& over) : over_(over) {}
  Boundary Forward(std::int32_t, std::int32_t, Boundary, bool) override {
    over_.wait(false);
    return MakeBoundary(sizeof(double));
  }
  void Recompute(std::int32_t, std::int32_t) override {}
  Boundary Backward(std::int32_t, std::int32_t, Boundary) override { return {}; }
  Boundary BackwardInput(std::int32_t, std::int32_t, Boundary) override { return {}; }
  void BackwardWeight(std::int32_t, std::int32_t) override {}

 private:
  std::atomic<bool>& over_;
};

/// Says when its rank has given up.
class Announcing : public Weights {
 public:
  explicit Announcing(std::atomic<bool>& over) : over_(over) {}
  ~Announcing() override {
    over_ = true;
    over_.notify_all();
  }
  Announcing(const Announcing&) = delete;
  Announcing& operator=(const Announcing&) = delete;
  void Step(const StepOp&) override {}
  void Predict(const PredictOp&) override {}
  std::span<double> Gradient() override { return {}; }

 private:
  std::atomic<bool>& over_;
};

TEST(RunAsThreads, NobodyWaitsLongerThanTheDeadline) {
  const ExecutionPlan plan = PlanExecution(Lower(Make("1f1b", {.ranks = 2, .microbatches = 2})));
  ScalarResult result;
  std::atomic<bool> over{false};
  const std::string failure = FailureOf(
      plan,
      [&](std::int32_t rank) {
        std::map<std::int32_t, StagePart> parts = test::ScalarParts(plan, rank, result);
        if (rank == 0) {
          parts[0].stage = std::make_unique<HangingStage>(over);
        } else {
          parts[1].weights = std::make_unique<Announcing>(over);
        }
        return parts;
      },
      std::chrono::milliseconds(20));
  EXPECT_EQ(failure,
            "rank 1, op 1 (1F0@0): waited 20 ms for 0SEND_F0 of rank 0; expected it within that "
            "deadline");
}

}  // namespace
}  // namespace stagecraft
