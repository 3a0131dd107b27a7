#include "engine/device_queue.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/ranks/thread_job.h"
#include "engine/ranks/thread_transport.h"
#include "engine/training.h"
#include "schedules/lower.h"
#include "tests/engine/device_framework.h"
#include "tests/engine/scalar_framework.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::FakeDevice;
using test::Make;

/// All that a training leaves, and what it told.
struct Outcome {
  std::string weights, state;
  std::vector<std::tuple<TrainingReport::Kind, std::int64_t, double>> reports;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome Train(Framework& framework, const TrainingPlan& plan, const TrainingTask& task) {
  Outcome outcome;
  const TrainingSetup setup{.task = &task, .plan = &plan, .framework = &framework};
  const Snapshot snapshot = ReadTrainingResult(RunAsThreads(
      plan.training, TrainingWork(setup), {.on_report = [&](std::int32_t, std::string_view bytes) {
        const TrainingReport report = ReadTrainingReport(bytes);
        if (report.kind != TrainingReport::Kind::kUpdates) {  // How many there are is up to time.
          outcome.reports.push_back({report.kind, report.result.microbatch, report.result.loss});
        }
      }}));
  const SnapshotFiles files = ToFiles(snapshot);
  outcome.weights = files.weights;
  outcome.state = files.state.value();
  std::sort(outcome.reports.begin(), outcome.reports.end());  // Of several ranks in any order.
  return outcome;
}

TrainingTask Task(std::int32_t stages) {
  OptimizerOptions optimizer;
  optimizer.momentum = 0.5;
  return test::ScalarTask(stages, optimizer);
}

TEST(DeviceQueue, TrainingOnDevicesGivesTheBitsOfMainMemory) {
  test::ScalarFramework scalars;
  test::DeviceFramework on_devices;
  for (const Generator& generator : Generators()) {
    const Schedule schedule =
        test::MakeNear(generator, {.ranks = 3, .microbatches = 6, .batches = 2});
    const TrainingTask task = Task(schedule.shape.stages);
    const TrainingPlan plan = PlanTraining(Lower(schedule), schedule.shape.microbatches / 2, 2);
    EXPECT_EQ(Train(on_devices, plan, task), Train(scalars, plan, task)) << generator.name;
  }
}

TEST(DeviceQueue, ReplicasAddUpTheirGradientsInTheirOrder) {
  test::ScalarFramework scalars;
  test::DeviceFramework on_devices;
  const TrainingPlan plan = PlanTraining(
      Lower(Make("pipedream", {.ranks = 4, .microbatches = 12, .replicas = {3, 1}})), 0, 0);
  EXPECT_EQ(Train(on_devices, plan, Task(2)), Train(scalars, plan, Task(2)));
}

/// A queue over a device and a hub for one rank of a program of three ops.
struct Bench {
  Schedule schedule = Make("1f1b", {.ranks = 1, .microbatches = 4});
  FakeDevice device;
  ThreadHub hub{1, std::chrono::minutes(1)};
  std::unique_ptr<Transport> transport = hub.End(0);
  Recorder recorder{schedule};

  Bench() { recorder.Begin(); }
  void Give(DeviceQueue& queue, std::int32_t op, FakeDevice::Work work) {
    queue.Begin({0, op});
    device.Launch(device.ComputeStream(), std::move(work));
    queue.End({0, op});
  }
};

TEST(DeviceQueue, AnOpIsTimedWhereItRunsAndNotWhereItIsGivenOut) {
  Bench bench;
  DeviceQueue queue(bench.device, *bench.transport, &bench.recorder);
  std::atomic<bool> go{false};
  bench.Give(queue, 0, [&] {
    while (!go) {
      std::this_thread::yield();
    }
  });
  bench.Give(queue, 1, [] {});
  queue.Mark({0, 2});
  go = true;
  queue.Drain();
  const Timeline timeline = bench.recorder.Recorded();
  EXPECT_LE(timeline.spans[0].start, timeline.spans[0].end);
  EXPECT_LE(timeline.spans[0].end, timeline.spans[1].start);
  EXPECT_LE(timeline.spans[1].end, timeline.spans[2].start);
  EXPECT_EQ(timeline.spans[2].start, timeline.spans[2].end);
}

TEST(DeviceQueue, AnOpBeginsWhenItsTensorIsThere) {
  Bench bench;
  DeviceQueue queue(bench.device, *bench.transport, &bench.recorder);
  const Device::Stream other = bench.device.MakeStream();
  std::atomic<bool> go{false};
  bench.device.Launch(other, [&] {
    while (!go) {
      std::this_thread::yield();
    }
  });
  Boundary tensor = bench.device.Allocate(8);
  tensor.ready = bench.device.Record(other);
  bench.Give(queue, 0, [] {});
  queue.Arrive({0, 1}, {tensor, {}});
  bench.Give(queue, 2, [] {});
  const std::shared_ptr<DeviceEvent> begins = bench.device.Record(bench.device.ComputeStream());
  go = true;
  queue.Drain();
  EXPECT_TRUE(bench.device.IsDone(*begins));
  // Both on the device's clock: the op's span is as long as nothing takes, not as the wait.
  const Timeline timeline = bench.recorder.Recorded();
  const Nanoseconds span = timeline.spans[2].end - timeline.spans[2].start;
  EXPECT_LE(span, bench.device.Between(*tensor.ready, *begins));
}

TEST(DeviceQueue, TheProgramIsNoFurtherAheadThanItMay) {
  Bench bench;
  DeviceQueue queue(bench.device, *bench.transport, nullptr, {.lead = 2});
  std::atomic<int> ran{0};
  for (std::int32_t op = 0; op < 6; ++op) {
    bench.Give(queue, op, [&] { ++ran; });
    EXPECT_GE(ran, op - 2);
  }
  queue.Drain();
  EXPECT_EQ(ran, 6);
}

TEST(DeviceQueue, AnOpThatDoesNotEndIsNamed) {
  Bench bench;
  DeviceQueue queue(bench.device, *bench.transport, nullptr,
                    {.deadline = std::chrono::milliseconds(20)});
  std::atomic<bool> go{false};
  bench.Give(queue, 0, [] {});
  bench.Give(queue, 1, [&] {
    while (!go) {
      std::this_thread::yield();
    }
  });
  bench.Give(queue, 2, [] {});
  try {
    queue.Drain();
    FAIL() << "expected an error";
  } catch (const OpError& error) {
    EXPECT_EQ(error.Index(), 1);
    EXPECT_STREQ(error.what(),
                 "the device has not run this op within 20 ms; expected it to end by then");
  }
  go = true;
}

TEST(DeviceQueue, AllOfADeviceWaitForTensorsOnOneStream) {
  Bench bench;
  Boundary tensor = bench.device.Allocate(8);
  tensor.ready = bench.device.Record(bench.device.ComputeStream());
  const std::size_t before = bench.device.Streams();
  for (int round = 0; round < 3; ++round) {
    DeviceQueue queue(bench.device, *bench.transport, &bench.recorder);
    queue.Arrive({0, 1}, {tensor, {}});
    queue.Drain();
  }
  EXPECT_EQ(bench.device.Streams(), before + 1);
}

TEST(WaitForDevice, WaitsUntilItHasRunAllButNotForEver) {
  FakeDevice device;
  WaitForDevice(device, std::chrono::minutes(1));
  std::atomic<bool> go{false};
  device.Launch(device.ComputeStream(), [&] {
    while (!go) {
      std::this_thread::yield();
    }
  });
  try {
    WaitForDevice(device, std::chrono::milliseconds(20));
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "the device has not run what it was given within 20 ms; expected it to end by "
                 "then");
  }
  go = true;
  WaitForDevice(device, std::chrono::minutes(1));
}

/// As after Ctrl-C, when an op waits for a tensor that no rank sends any more.
TEST(DeviceQueue, ADeviceThatHangsKeepsNobodyWaitingForTheResult) {
  test::DeviceFramework framework;
  const TrainingTask task = Task(1);
  const TrainingPlan plan =
      PlanTraining(Lower(Make("1f1b", {.ranks = 1, .microbatches = 2})), 0, 0);
  ThreadHub hub(1, std::chrono::minutes(1));
  const std::unique_ptr<Transport> transport = hub.End(0);
  const std::unique_ptr<RankWork> work =
      TrainingWork({.task = &task, .plan = &plan, .framework = &framework})(0);
  Seat seat{.transport = *transport, .deadline = std::chrono::milliseconds(200)};
  seat.report = [](std::string_view) {};
  work->Run(seat);
  EXPECT_FALSE(work->Result().empty());

  auto& device = dynamic_cast<FakeDevice&>(*work->GetDevice());
  std::atomic<bool> go{false};
  device.Launch(device.ComputeStream(), [&] {
    while (!go) {
      std::this_thread::yield();
    }
  });
  EXPECT_THROW(work->Result(), Error);
  go = true;
}

TEST(DeviceQueue, WhoWaitsForADeviceHearsOfTheEndOfTheJob) {
  Bench bench;
  DeviceQueue queue(bench.device, *bench.transport, nullptr);
  std::atomic<bool> go{false};
  bench.Give(queue, 0, [&] {
    while (!go) {
      std::this_thread::yield();
    }
  });
  bench.hub.Abort();
  EXPECT_THROW(queue.Drain(), Aborted);
  EXPECT_THROW(queue.Begin({0, 1}), Aborted);
  go = true;
}

}  // namespace
}  // namespace stagecraft
