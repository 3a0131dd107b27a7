#include "engine/training.h"

#include <atomic>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/ranks/thread_job.h"
#include "schedules/lower.h"
#include "schedules/schedule.h"
#include "tests/engine/scalar_framework.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

OptimizerOptions Momentum() {
  OptimizerOptions options;
  options.momentum = 0.5;
  return options;
}

struct Trained {
  Snapshot snapshot;
  std::map<std::int64_t, double> losses;
  /// By pause and micro-batch.
  std::map<std::int32_t, std::map<std::int64_t, double>> evaluations;
  std::map<std::pair<std::int32_t, std::int32_t>, TrainingReport::Updates> updates;  ///< The last.
  std::map<std::int32_t, std::vector<std::string>> parts;  ///< Of snapshots, by pause.
};

Trained Train(const TrainingPlan& plan, const TrainingTask& task, const Snapshot* start = nullptr,
              std::atomic<bool>* stop = nullptr, std::int64_t stop_at = -1) {
  test::ScalarFramework framework;
  Trained trained;
  const MakeWork work = TrainingWork(
      {.task = &task, .plan = &plan, .framework = &framework, .start = start, .stop = stop});
  trained.snapshot = ReadTrainingResult(RunAsThreads(
      plan.training, work, {.on_report = [&](std::int32_t, std::string_view bytes) {
        const TrainingReport report = ReadTrainingReport(bytes);
        if (report.kind == TrainingReport::Kind::kEvaluation) {
          trained.evaluations[report.pause][report.result.microbatch] = report.result.loss;
          return;
        }
        if (report.kind == TrainingReport::Kind::kUpdates) {
          trained.updates[{report.updates.rank, report.updates.stage}] = report.updates;
          return;
        }
        if (report.kind == TrainingReport::Kind::kSnapshot) {
          trained.parts[report.pause].emplace_back(PayloadOf(bytes));
          return;
        }
        trained.losses[report.result.microbatch] = report.result.loss;
        if (report.result.microbatch == stop_at) {
          *stop = true;
        }
      }}));
  return trained;
}

std::string Bytes(const Snapshot& snapshot) {
  const SnapshotFiles files = ToFiles(snapshot);
  return files.weights + *files.state;
}

TrainingPlan PlanOf(const char* name, std::int32_t epochs, std::int32_t evaluations = 0) {
  const Generator& generator = *FindGenerator(name);
  const bool drains = (generator.takes & kTakesDrainEvery) != 0;
  return PlanTraining(
      Lower(test::Make(
          name, {.ranks = 3, .microbatches = 6, .batches = epochs, .drain_every = drains ? 6 : 0})),
      6, evaluations);
}

/// The epochs in [begin, end) of a schedule that goes on for one more, as for `--load` and
/// `--save`.
TrainingPlan PartOf(const char* name, std::int32_t begin, std::int32_t end) {
  const Generator& generator = *FindGenerator(name);
  const bool drains = (generator.takes & kTakesDrainEvery) != 0;
  return PlanTraining(
      Lower(test::Make(
          name,
          {.ranks = 3, .microbatches = 6, .batches = end + 1, .drain_every = drains ? 6 : 0})),
      6, 0, MicrobatchRange{6 * begin, 6 * end});
}

TEST(Training, EvaluatesWheneverThePipelineIsEmptyAfterAnEpoch) {
  for (const char* name : {"1f1b", "pipedream", "pipeoptim"}) {
    const TrainingTask task = test::ScalarTask(3, Momentum());
    const Trained trained = Train(PlanOf(name, 4, 5), task);
    ASSERT_EQ(trained.evaluations.size(), 4U) << name;
    for (const auto& [pause, losses] : trained.evaluations) {
      EXPECT_EQ(losses.size(), 5U) << name << ' ' << pause;
    }
    EXPECT_LT(trained.evaluations.at(3).at(0), trained.evaluations.at(0).at(0)) << name;
    EXPECT_EQ(trained.losses.size(), 24U) << name;
  }
}

TEST(Training, ASnapshotContinuesBitForBit) {
  for (const char* name : {"gpipe", "1f1b", "pipedream", "pipedream-2bw", "async-1f1b", "spectrain",
                           "xpipe", "pipeoptim", "pipemare"}) {
    for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdam}) {
      OptimizerOptions optimizer;
      optimizer.kind = kind;
      optimizer.momentum = kind == OptimizerKind::kSgd ? 0.5 : 0;
      optimizer.displacement = Displacement::kNext;
      TrainingTask task = test::ScalarTask(3, optimizer);
      task.learning_rate.SetShape(LearningRate::Shape::kStep, 3, 0.5);
      const Trained whole = Train(PartOf(name, 0, 5), task);
      const Trained first = Train(PartOf(name, 0, 2), task);
      EXPECT_EQ(PositionOf(first.snapshot), 12);
      EXPECT_EQ(HasOlder(first.snapshot), name == std::string("pipedream-2bw"));
      // Through files, as a user's would.
      const Snapshot read = OrThrow(FromFiles(ToFiles(first.snapshot), "a.safetensors"));
      const Trained second = Train(PartOf(name, 1, 4), task, &read);
      EXPECT_EQ(Bytes(second.snapshot), Bytes(whole.snapshot)) << name;
      EXPECT_EQ(second.losses.at(12), whole.losses.at(12)) << name;
    }
  }
}

TEST(Training, ReplicasEvaluateWithTheStatisticsOfTheFirstWhichAreSaved) {
  struct Case {
    const char* name;
    GeneratorOptions options;
  };
  const Case cases[] = {
      {"data-parallel", {.ranks = 3, .microbatches = 6}},
      {"chimera", {.ranks = 2, .microbatches = 6}},
      {"dualpipe", {.ranks = 2, .microbatches = 6}},
      {"pipedream", {.ranks = 3, .microbatches = 6, .drain_every = 6, .replicas = {2, 1}}},
  };
  for (auto [name, options] : cases) {
    const auto train = [&](std::int32_t epochs, const Snapshot* start) {
      options.batches = epochs;
      const TrainingPlan plan = PlanTraining(Lower(test::Make(name, options)), 6, 5);
      TrainingTask task = test::ScalarTask(plan.training.schedule.shape.stages, Momentum());
      task.sample = {1, 1, 1};
      for (std::vector<Layer>& stage : task.model.stages) {
        stage = {MakeLayer(LayerKind::kConv2d, {1, 1, 1, 1, 0, 0}),
                 MakeLayer(LayerKind::kBatchNorm2d, {1})};
      }
      return Train(plan, task, start);
    };
    const Trained whole = train(3, nullptr);
    const Trained first = train(1, nullptr);
    const Trained rest = train(2, &first.snapshot);

    EXPECT_EQ(Bytes(rest.snapshot), Bytes(whole.snapshot)) << name;
    ASSERT_EQ(whole.evaluations.at(2).size(), 5U) << name;
    EXPECT_EQ(first.evaluations.at(0), whole.evaluations.at(0)) << name;
    EXPECT_EQ(rest.evaluations.at(0), whole.evaluations.at(1)) << name;
    EXPECT_EQ(rest.evaluations.at(1), whole.evaluations.at(2)) << name;
  }
}

TEST(Training, WeightsAloneAreAStart) {
  const TrainingTask task = test::ScalarTask(3, Momentum());
  Snapshot snapshot = Train(PlanOf("1f1b", 2), task).snapshot;
  snapshot.state.reset();
  const Trained second = Train(PlanOf("1f1b", 1), task, &snapshot);
  EXPECT_EQ(PositionOf(second.snapshot), 6);
  EXPECT_EQ(UpdatesOf(second.snapshot, 0), 1);
  EXPECT_EQ(second.losses.begin()->first, 0);
}

TEST(Training, ARepeatedProgramGoesOnWithTheNewestWeights) {
  const TrainingTask task = test::ScalarTask(3, Momentum());
  TrainingPlan rounds = PlanOf("1f1b", 1);
  rounds.rounds = 4;
  EXPECT_EQ(Bytes(Train(rounds, task).snapshot), Bytes(Train(PlanOf("1f1b", 4), task).snapshot));
}

TEST(Training, EveryStageTellsOfTheFirstGradientThatIsNotFinite) {
  TrainingTask task = test::ScalarTask(3, {});
  // Update 0 moves each weight by 1e200 times its gradient, which is not 0: in the forwards behind
  // it, products of three weights are above 1e308. An infinite output is an infinite gradient.
  task.learning_rate = LearningRate({1e200});
  const Trained trained = Train(PlanOf("1f1b", 2), task);
  ASSERT_EQ(trained.updates.size(), 3U);
  for (const auto& [place, updates] : trained.updates) {
    EXPECT_EQ(updates.made, 2) << updates.stage;
    EXPECT_EQ(updates.not_finite, 1) << updates.stage;
  }
  for (const auto& [place, updates] : Train(PlanOf("1f1b", 2), test::ScalarTask(3, {})).updates) {
    EXPECT_EQ(updates.not_finite, -1);
  }
}

TEST(Training, EveryPauseTellsASnapshotThatTrainingGoesOnFrom) {
  const TrainingTask task = test::ScalarTask(3, Momentum());
  TrainingPlan plan = PlanOf("1f1b", 3);
  plan.tells_snapshots = true;
  const Trained whole = Train(plan, task);
  ASSERT_EQ(whole.parts.size(), 3U);
  const Snapshot second = ReadTrainingResult(whole.parts.at(1));
  EXPECT_TRUE(WasDrained(second));
  EXPECT_EQ(PositionOf(second), 12);
  EXPECT_EQ(Bytes(Train(PlanOf("1f1b", 1), task, &second).snapshot), Bytes(whole.snapshot));
  EXPECT_EQ(Bytes(ReadTrainingResult(whole.parts.at(2))), Bytes(whole.snapshot));
}

TEST(Training, ARepeatedProgramPausesAfterSoManyRounds) {
  const TrainingTask task = test::ScalarTask(3, Momentum());
  TrainingPlan rounds = PlanOf("1f1b", 1, 5);
  rounds.rounds = 5;
  rounds.rounds_per_pause = 2;
  const Trained trained = Train(rounds, task);
  const Trained by_name = Train(PlanOf("1f1b", 5, 5), task);
  ASSERT_EQ(trained.evaluations.size(), 3U);  // After 2, 4 and all 5.
  EXPECT_EQ(trained.evaluations.at(0), by_name.evaluations.at(1));
  EXPECT_EQ(trained.evaluations.at(2), by_name.evaluations.at(4));
  EXPECT_EQ(Bytes(trained.snapshot), Bytes(by_name.snapshot));
}

TEST(Training, AStopEndsEveryRankBetweenTwoOpsAndLeavesASnapshot) {
  for (const char* name : {"1f1b", "pipedream", "pipeoptim"}) {
    const TrainingTask task = test::ScalarTask(3, Momentum());
    std::atomic<bool> stop{false};
    const Trained stopped = Train(PlanOf(name, 50), task, nullptr, &stop, 100);
    EXPECT_FALSE(WasDrained(stopped.snapshot)) << name;
    EXPECT_LE(PositionOf(stopped.snapshot), 101) << name;
    EXPECT_GE(PositionOf(stopped.snapshot), 100 - 12) << name;
    stop = false;
    const Trained resumed = Train(PlanOf(name, 1), task, &stopped.snapshot, &stop);
    EXPECT_TRUE(WasDrained(resumed.snapshot)) << name;
    EXPECT_EQ(resumed.losses.begin()->first, PositionOf(stopped.snapshot)) << name;
  }
}

TEST(Training, EveryOpFindsTheVersionThatTheScheduleNames) {
  for (const Generator& generator : Generators()) {
    GeneratorOptions options{.ranks = 3, .microbatches = 6, .batches = 2};
    options.drain_every = (generator.takes & kTakesDrainEvery) != 0 ? 6 : 0;
    const TrainingPlan plan = PlanTraining(Lower(test::MakeNear(generator, options)), 0, 0);
    const TrainingTask task = test::ScalarTask(plan.training.schedule.shape.stages, Momentum());
    test::ScalarFramework framework;
    Recorder recorder(plan.training.schedule);
    RunAsThreads(plan.training,
                 TrainingWork({.task = &task, .plan = &plan, .framework = &framework}),
                 {.recorder = &recorder});
    std::int32_t id = 0;
    for (const Program& program : plan.training.schedule.programs) {
      for (const Op& op : program) {
        const SlotContent read = recorder.Reads()[id++];
        const SlotContent named = TraitsOf(op.kind).reads_weights
                                      ? SlotContent{op.version, op.horizon}
                                      : Recorder::kNoRead;
        EXPECT_EQ(read, named) << generator.name << ' ' << ToString(op);
      }
    }
  }
}

}  // namespace
}  // namespace stagecraft
