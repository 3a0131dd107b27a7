#include "engine/ranks/process_job.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/engine/disturbed_stage.h"
#include "tests/engine/scalar_model.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::ScalarResult;

ExecutionPlan PlanOf(const char* name, const GeneratorOptions& options) {
  return PlanExecution(Lower(Make(name, options)));
}

/// Runs the scalar model on one rank; its result is that rank's figures, a line each.
class ScalarWork : public RankWork {
 public:
  ScalarWork(const ExecutionPlan& plan, std::int32_t rank) : plan_(plan), rank_(rank) {}

  void Run(Seat& seat) override {
    std::map<std::int32_t, StagePart> parts = test::ScalarParts(plan_, rank_, result_);
    const std::unique_ptr<OpClock> clock = MakeHostClock(seat.recorder);
    Executor(plan_, rank_, parts, seat.transport, *clock, seat.position).Run();
    seat.report("rank " + std::to_string(rank_) + " ran");
  }
  std::string Result() override {
    std::string text;
    for (const std::string& line : test::Lines(result_)) {
      text += line + '\n';
    }
    return text;
  }

 private:
  const ExecutionPlan& plan_;
  std::int32_t rank_;
  ScalarResult result_;
};

/// All figures of all ranks, each from the process that has it.
std::vector<std::string> RunScalar(const ExecutionPlan& plan, const JobOptions& options = {}) {
  const std::vector<std::string> results = RunAsProcesses(
      plan, [&](std::int32_t rank) { return std::make_unique<ScalarWork>(plan, rank); }, options);
  std::vector<std::string> lines;
  for (const std::string& text : results) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      lines.push_back(line);
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(RunAsProcesses, HearsTheReportsOfAllRanks) {
  std::vector<std::string> reports(3);
  RunScalar(PlanOf("1f1b", {.ranks = 3, .microbatches = 4}),
            {.on_report = [&](std::int32_t rank, std::string_view report) {
              reports[static_cast<std::size_t>(rank)] += report;
            }});
  EXPECT_EQ(reports, (std::vector<std::string>{"rank 0 ran", "rank 1 ran", "rank 2 ran"}));
}

TEST(RunAsProcesses, GivesTheBitsOfTheInterpreter) {
  for (const Generator& generator : Generators()) {
    const ExecutionPlan plan = PlanExecution(
        Lower(test::MakeNear(generator, {.ranks = 3, .microbatches = 6, .batches = 2})));
    EXPECT_EQ(RunScalar(plan), test::Lines(test::InterpretScalar(plan.schedule))) << generator.name;
  }
  const ExecutionPlan replicated =
      PlanOf("pipedream", {.ranks = 4, .microbatches = 12, .replicas = {3, 1}});
  EXPECT_EQ(RunScalar(replicated), test::Lines(test::InterpretScalar(replicated.schedule)));
}

TEST(RunAsProcesses, GathersTheSpansOfAllRanks) {
  const ExecutionPlan plan = PlanOf("1f1b", {.ranks = 3, .microbatches = 4});
  Recorder recorder(plan.schedule);
  RunScalar(plan, {.recorder = &recorder});
  const OpIds ids(plan.schedule);
  const Timeline recorded = recorder.Recorded();
  const auto span = [&](OpKind kind, int stage) {
    return recorded
        .spans[static_cast<std::size_t>(ids.Of(test::FindOp(plan.schedule, kind, stage, 3)))];
  };
  for (int stage = 1; stage < 3; ++stage) {
    EXPECT_GE(span(OpKind::kForward, stage).start, span(OpKind::kForward, stage - 1).end);
    EXPECT_GE(span(OpKind::kBackward, stage - 1).start, span(OpKind::kBackward, stage).end);
  }
  ASSERT_EQ(recorded.transfers.size(), 2U * 2 * 4);  // Both ways, between three ranks.
  for (const Transfer& transfer : recorded.transfers) {
    EXPECT_EQ(transfer.bytes, 8);
    EXPECT_GT(transfer.arrival, transfer.start);
    EXPECT_EQ(recorded.spans[static_cast<std::size_t>(ids.Of(transfer.send))].start,
              transfer.start);
    if (plan.schedule.At(transfer.recv).kind == OpKind::kRecvForward) {
      const Op& recv = plan.schedule.At(transfer.recv);
      const OpRef user = test::FindOp(plan.schedule, OpKind::kForward, recv.stage, recv.microbatch);
      EXPECT_LE(transfer.arrival, recorded.spans[static_cast<std::size_t>(ids.Of(user))].start);
    }
  }
}

std::string FailureOf(const ExecutionPlan& plan, std::int32_t disturbed,
                      const std::function<void()>& disturb,
                      std::chrono::nanoseconds deadline = std::chrono::seconds(20)) {
  ScalarResult result;
  try {
    RunAsProcesses(plan,
                   RunProgramOf(plan,
                                [&](std::int32_t rank) {
                                  std::map<std::int32_t, StagePart> parts =
                                      test::ScalarParts(plan, rank, result);
                                  if (rank == disturbed) {
                                    parts[rank].stage = std::make_unique<test::DisturbedStage>(
                                        std::move(parts[rank].stage), 3, disturb);
                                  }
                                  return parts;
                                }),
                   {.deadline = deadline});
  } catch (const JobError& error) {
    return error.what();
  }
  return "no failure";
}

TEST(RunAsProcesses, NamesTheRankThatWasKilledAndEndsAllOthers) {
  for (const char* name : {"gpipe", "pipeoptim"}) {
    const ExecutionPlan plan = PlanOf(name, {.ranks = 4, .microbatches = 8});
    for (std::int32_t rank = 0; rank < 4; ++rank) {
      const std::string failure = FailureOf(plan, rank, [] { std::raise(SIGKILL); });
      EXPECT_EQ(failure.rfind("rank " + std::to_string(rank) + ", op ", 0), 0U) << failure;
      EXPECT_NE(failure.find("B3@"), std::string::npos) << failure;
      EXPECT_NE(failure.find("): its process was ended by signal 9 (Killed)"), std::string::npos)
          << failure;
    }
  }
}

TEST(RunAsProcesses, TellsTheFirstFailure) {
  const ExecutionPlan plan = PlanOf("1f1b", {.ranks = 4, .microbatches = 8});
  for (std::int32_t rank = 0; rank < 4; ++rank) {
    const std::string failure =
        FailureOf(plan, rank, [] { throw std::runtime_error("out of memory"); });
    EXPECT_EQ(failure.rfind("rank " + std::to_string(rank) + ", op ", 0), 0U) << failure;
    EXPECT_NE(failure.find("B3@0): out of memory"), std::string::npos) << failure;
  }
}

TEST(RunAsProcesses, EndsARankThatHangs) {
  const ExecutionPlan plan = PlanOf("1f1b", {.ranks = 3, .microbatches = 6});
  const std::string failure = FailureOf(
      plan, 1,
      [] {
        while (true) {
          pause();
        }
      },
      std::chrono::milliseconds(200));
  EXPECT_NE(failure.find("waited 200 ms for "), std::string::npos) << failure;
  EXPECT_NE(failure.find(" of rank 1; expected it within that deadline"), std::string::npos)
      << failure;
}

TEST(RunAsProcesses, TellsWhyARankCouldNotBegin) {
  const ExecutionPlan plan = PlanOf("1f1b", {.ranks = 3, .microbatches = 3});
  ScalarResult result;
  try {
    RunAsProcesses(plan, RunProgramOf(plan, [&](std::int32_t rank) {
                     if (rank == 2) {
                       throw std::runtime_error("no such device");
                     }
                     return test::ScalarParts(plan, rank, result);
                   }));
    FAIL() << "expected a failure";
  } catch (const JobError& error) {
    EXPECT_EQ(std::string(error.what()), "rank 2, op 0 (set-up): no such device");
  }
}

}  // namespace
}  // namespace stagecraft
