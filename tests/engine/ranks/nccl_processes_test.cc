#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "engine/model/random.h"
#include "engine/ranks/process_job.h"
#include "engine/ranks/thread_job.h"
#include "schedules/lower.h"
#include "tests/engine/nccl_job.h"
#include "tests/support/schedule_builder.h"

// Ranks in processes of their own, whose devices are threads and whose NCCL is shared memory: with
// everything around it that a job on real devices has.

namespace stagecraft {
namespace {

using test::FakeNccl;
using test::Make;

constexpr std::chrono::seconds kDeadline(5);

struct Job {
  explicit Job(const Schedule& schedule)
      : task(test::MomentumTask(schedule.shape.stages)),
        plan(PlanTraining(Lower(schedule), 6, 2)) {}

  std::string Run(const std::function<FakeNccl::Faults(std::int32_t rank)>& faults) {
    const TrainingSetup setup{.task = &task, .plan = &plan, .framework = &framework};
    JobOptions options;
    options.deadline = kDeadline;
    options.recorder = &recorder;
    options.connect_devices =
        test::OverFakeNccl(plan.training, fabric, faults, {.deadline = kDeadline});
    const SnapshotFiles files =
        ToFiles(ReadTrainingResult(RunAsProcesses(plan.training, TrainingWork(setup), options)));
    return files.weights + files.state.value();
  }

  /// What the job says that went wrong.
  std::string Failure(const std::function<FakeNccl::Faults(std::int32_t rank)>& faults) {
    try {
      Run(faults);
      return "";
    } catch (const JobError& error) {
      return error.what();
    }
  }

  TrainingTask task;
  TrainingPlan plan;
  test::DeviceFramework framework;
  test::FakeFabric fabric;
  Recorder recorder{plan.training.schedule};
};

std::string InMainMemory(const Schedule& schedule) {
  test::ScalarFramework framework;
  const TrainingTask task = test::MomentumTask(schedule.shape.stages);
  const TrainingPlan plan = PlanTraining(Lower(schedule), 6, 2);
  const TrainingSetup setup{.task = &task, .plan = &plan, .framework = &framework};
  const SnapshotFiles files =
      ToFiles(ReadTrainingResult(RunAsThreads(plan.training, TrainingWork(setup), {})));
  return files.weights + files.state.value();
}

FakeNccl::Faults Nothing(std::int32_t /*rank*/) {
  return {};
}

/// Dies at the n-th call whose name begins with `call`.
FakeNccl::Faults DieAt(std::string call, int n) {
  FakeNccl::Faults faults;
  faults.before_call = [call = std::move(call), n](const std::string& what) mutable {
    if (what.rfind(call, 0) == 0 && n-- == 0) {
      raise(SIGKILL);
    }
  };
  return faults;
}

TEST(NcclProcesses, TrainToTheBitsOfMainMemory) {
  for (const Generator& generator : Generators()) {
    const Schedule schedule =
        test::MakeNear(generator, {.ranks = 3, .microbatches = 6, .batches = 2});
    EXPECT_EQ(Job(schedule).Run(Nothing), InMainMemory(schedule)) << generator.name;
  }
}

TEST(NcclProcesses, ReplicasAddUpOnTheirDevices) {
  const Schedule schedule = Make("pipedream", {.ranks = 5, .microbatches = 12, .replicas = {3, 2}});
  EXPECT_EQ(Job(schedule).Run(Nothing), InMainMemory(schedule));
}

TEST(NcclProcesses, OpsAndTransfersAreRecorded) {
  Job job(Make("1f1b", {.ranks = 3, .microbatches = 4}));
  job.Run(Nothing);
  const Timeline timeline = job.recorder.Recorded();
  EXPECT_EQ(timeline.transfers.size(), 16U);
  for (const Transfer& transfer : timeline.transfers) {
    EXPECT_GT(transfer.arrival, Nanoseconds(0));
    EXPECT_EQ(transfer.bytes, 8);
  }
  for (const Span& span : timeline.spans) {
    EXPECT_GE(span.end, span.start);
    EXPECT_GT(span.end, Nanoseconds(0));
  }
}

TEST(NcclProcesses, ARankThatDiesInAnyStateIsNamed) {
  for (const char* const call : {"connect", "send", "receive", "finalize", "destroy"}) {
    for (std::int32_t rank = 0; rank < 3; ++rank) {
      Job job(Make("1f1b", {.ranks = 3, .microbatches = 4}));
      const std::string failure = job.Failure(
          [&](std::int32_t each) { return each == rank ? DieAt(call, 0) : FakeNccl::Faults{}; });
      EXPECT_EQ(failure.rfind("rank " + std::to_string(rank) + ", op ", 0), 0U)
          << call << " on " << rank << ": " << failure;
      EXPECT_NE(failure.find("ended by signal 9"), std::string::npos) << call << ": " << failure;
    }
  }
}

TEST(NcclProcesses, ARankThatDiesAtAnyTransferIsNamed) {
  Random random(5);
  for (std::int32_t rank = 0; rank < 3; ++rank) {
    for (int i = 0; i < 4; ++i) {
      const int transfer = static_cast<int>(random.Below(8)) + 2;  // Behind those of the warm-up.
      Job job(Make("pipeoptim", {.ranks = 3, .microbatches = 12}));
      const std::string failure = job.Failure([&](std::int32_t each) {
        return each == rank ? DieAt(i % 2 == 0 ? "send" : "receive", transfer) : FakeNccl::Faults{};
      });
      EXPECT_EQ(failure.rfind("rank " + std::to_string(rank) + ", op ", 0), 0U)
          << transfer << " on " << rank << ": " << failure;
    }
  }
}

TEST(NcclProcesses, WhatNcclSaysOfAFailedCallIsPassedOn) {
  for (std::int32_t call = 0; call < 20; call += 3) {
    Job job(Make("1f1b", {.ranks = 2, .microbatches = 6}));
    const std::string failure = job.Failure([&](std::int32_t rank) {
      return rank == 1 ? FakeNccl::Faults{.fail_call = call} : FakeNccl::Faults{};
    });
    EXPECT_EQ(failure.rfind("rank 1, op ", 0), 0U) << call << ": " << failure;
    EXPECT_NE(failure.find("it was told to fail"), std::string::npos) << call << ": " << failure;
  }
}

/// The weights of each stage after so many batches.
std::vector<Safetensors> WeightsAfterBatches(std::int32_t most) {
  std::vector<Safetensors> weights;
  test::ScalarFramework framework;
  for (std::int32_t batches = 1; batches <= most; ++batches) {
    const Schedule schedule = Make("1f1b", {.ranks = 3, .microbatches = 4, .batches = batches});
    const TrainingTask task = test::MomentumTask(3);
    const TrainingPlan plan = PlanTraining(Lower(schedule), 0, 0);
    const TrainingSetup setup{.task = &task, .plan = &plan, .framework = &framework};
    weights.push_back(
        ReadTrainingResult(RunAsThreads(plan.training, TrainingWork(setup), {})).weights);
  }
  return weights;
}

TEST(NcclProcesses, AStoppedJobSavesWeightsThatItReallyHad) {
  constexpr std::int32_t kBatches = 6;
  const std::vector<Safetensors> after = WeightsAfterBatches(kBatches);
  for (int at = 5; at < 40; at += 6) {
    Job job(Make("1f1b", {.ranks = 3, .microbatches = 4, .batches = kBatches}));
    const TrainingSetup setup{.task = &job.task,
                              .plan = &job.plan,
                              .framework = &job.framework,
                              .stop = &job.fabric.Get().stop};
    const auto stop_at = [&job, at](std::int32_t rank) {
      FakeNccl::Faults faults;
      faults.before_call = [&job, rank, left = at](const std::string&) mutable {
        if (rank == 1 && left-- == 0) {
          job.fabric.Get().stop = true;
        }
      };
      return faults;
    };
    JobOptions options;
    options.deadline = kDeadline;
    options.connect_devices =
        test::OverFakeNccl(job.plan.training, job.fabric, stop_at, {.deadline = kDeadline});
    const Snapshot snapshot =
        ReadTrainingResult(RunAsProcesses(job.plan.training, TrainingWork(setup), options));
    EXPECT_FALSE(WasDrained(snapshot)) << at;
    for (std::int32_t stage = 0; stage < 3; ++stage) {
      const std::int64_t updates = UpdatesOf(snapshot, stage);
      if (updates == 0) {
        continue;
      }
      const std::string name = "stage" + std::to_string(stage) + ".0.weight";
      const HostTensor& found = snapshot.weights.tensors.at(name);
      const HostTensor& expected = after[static_cast<std::size_t>(updates) - 1].tensors.at(name);
      EXPECT_EQ(std::memcmp(found.memory.data, expected.memory.data, found.memory.bytes), 0)
          << "stage " << stage << " after " << updates << " updates, stopped at " << at;
    }
  }
}

TEST(NcclProcesses, WhatARankHasSaidCountsBeforeHowItThenDies) {
  Job job(Make("1f1b", {.ranks = 2, .microbatches = 4}));
  const std::string failure = job.Failure([](std::int32_t rank) {
    FakeNccl::Faults faults;
    if (rank == 1) {
      faults.fail_call = 9;
      faults.in_abort = [] { raise(SIGKILL); };
    }
    return faults;
  });
  EXPECT_NE(failure.find("it was told to fail"), std::string::npos) << failure;
}

TEST(NcclProcesses, AnAbortThatHangsEndsTheProcess) {
  Job job(Make("1f1b", {.ranks = 2, .microbatches = 4}));
  const TrainingSetup setup{.task = &job.task, .plan = &job.plan, .framework = &job.framework};
  JobOptions options;
  options.deadline = kDeadline;
  options.connect_devices = test::OverFakeNccl(
      job.plan.training, job.fabric,
      [](std::int32_t rank) {
        return FakeNccl::Faults{.fail_call = rank == 0 ? 9 : -1, .abort_hangs = true};
      },
      {.deadline = kDeadline, .abort_deadline = std::chrono::milliseconds(100)});
  try {
    RunAsProcesses(job.plan.training, TrainingWork(setup), options);
    FAIL() << "expected an error";
  } catch (const JobError& error) {  // Told before the tearing down.
    EXPECT_NE(std::string(error.what()).find("it was told to fail"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace stagecraft
