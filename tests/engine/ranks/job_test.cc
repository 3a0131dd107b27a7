#include "engine/ranks/job.h"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "engine/ranks/thread_job.h"
#include "schedules/lower.h"
#include "tests/engine/scalar_model.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;

/// Says which segment it is in, between the halves of its program.
class HalvesWork : public RankWork {
 public:
  HalvesWork(const ExecutionPlan& plan, std::int32_t rank) : plan_(plan), rank_(rank) {}

  void Run(Seat& seat) override {
    std::map<std::int32_t, StagePart> parts = test::ScalarParts(plan_, rank_, result_);
    const std::unique_ptr<OpClock> clock = MakeHostClock(seat.recorder);
    Executor executor(plan_, rank_, parts, seat.transport, *clock);
    executor.RunUntil(executor.Next() + 2);
    seat.report(std::to_string(executor.Next()));
    executor.Run();
    seat.report(std::to_string(executor.Next()));
  }
  std::string Result() override { return "result of " + std::to_string(rank_); }

 private:
  const ExecutionPlan& plan_;
  std::int32_t rank_;
  test::ScalarResult result_;
};

TEST(Job, WorkMayStopBetweenOpsReportAndGoOn) {
  const ExecutionPlan plan = PlanExecution(Lower(Make("1f1b", {.ranks = 2, .microbatches = 3})));
  std::vector<std::string> reports(2);
  const std::vector<std::string> results = RunAsThreads(
      plan, [&](std::int32_t rank) { return std::make_unique<HalvesWork>(plan, rank); },
      {.on_report = [&](std::int32_t rank, std::string_view report) {
        reports[static_cast<std::size_t>(rank)] += std::string(report) + ";";
      }});
  EXPECT_EQ(results, (std::vector<std::string>{"result of 0", "result of 1"}));
  for (std::size_t rank = 0; rank < 2; ++rank) {
    EXPECT_EQ(reports[rank], "2;" + std::to_string(plan.schedule.programs[rank].size()) + ";");
  }
}

/// Fails when there is nothing to do any more.
class BadResult : public HalvesWork {
 public:
  using HalvesWork::HalvesWork;
  std::string Result() override { throw std::runtime_error("no space left"); }
};

TEST(Job, AResultThatCannotBeGivenIsAFailure) {
  const ExecutionPlan plan = PlanExecution(Lower(Make("1f1b", {.ranks = 2, .microbatches = 2})));
  try {
    RunAsThreads(plan, [&](std::int32_t rank) -> std::unique_ptr<RankWork> {
      if (rank == 0) {
        return std::make_unique<BadResult>(plan, rank);
      }
      return std::make_unique<HalvesWork>(plan, rank);
    });
    FAIL() << "expected a failure";
  } catch (const JobError& error) {
    EXPECT_EQ(std::string(error.what()), "rank 0, op 0 (end): no space left");
  }
}

}  // namespace
}  // namespace stagecraft
