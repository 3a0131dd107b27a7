#include "engine/job_fingerprint.h"

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/engine/scalar_framework.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// All that a fingerprint is made of.
struct Job {
  TrainingTask task;
  TrainingPlan plan;
  Snapshot start;
};

Job MakeJob() {
  Job job;
  job.task = test::ScalarTask(2, {});
  job.task.data = [] { return std::string("scalars"); };
  // 2BW: an older version lives across the drain in front of the range.
  const Schedule lowered = Lower(
      test::Make("pipedream-2bw", {.ranks = 2, .microbatches = 4, .batches = 3, .drain_every = 4}));
  job.plan = PlanTraining(lowered, 4, 1, MicrobatchRange{4, 12});
  HostTensor weight = MakeHostTensor(ElementType::kFloat64, {1, 1});
  *reinterpret_cast<double*>(weight.memory.data) = 0.5;
  job.start.weights.tensors["stage0.0.weight"] = std::move(weight);
  job.start.state.emplace();
  return job;
}

using Change = std::function<void(Job&)>;

/// Every change gives a fingerprint that neither the job nor any other change has.
void ExpectAllDiffer(const std::vector<Change>& changes) {
  const Job job = MakeJob();
  std::set<std::uint64_t> seen{FingerprintOf(job.task, job.plan, &job.start)};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Job changed = MakeJob();
    changes[i](changed);
    EXPECT_TRUE(seen.insert(FingerprintOf(changed.task, changed.plan, &changed.start)).second) << i;
  }
}

TEST(JobFingerprint, IsTheSameForTheSameJob) {
  const Job a = MakeJob();
  const Job b = MakeJob();
  EXPECT_EQ(FingerprintOf(a.task, a.plan, &a.start), FingerprintOf(b.task, b.plan, &b.start));
  EXPECT_NE(FingerprintOf(a.task, a.plan, &a.start), FingerprintOf(a.task, a.plan));
}

TEST(JobFingerprint, HasEachFieldOfTheOptimizer) {
  const auto change = [](auto set) { return [set](Job& job) { set(job.task.optimizer); }; };
  const std::vector<Change> changes = {
      change([](OptimizerOptions& o) { o.kind = OptimizerKind::kAdamW; }),
      change([](OptimizerOptions& o) { o.momentum = 0.5; }),
      change([](OptimizerOptions& o) { o.dampening = 0.5; }),
      change([](OptimizerOptions& o) { o.nesterov = true; }),
      change([](OptimizerOptions& o) { o.weight_decay = 0.5; }),
      change([](OptimizerOptions& o) { o.beta1 = 0.5; }),
      change([](OptimizerOptions& o) { o.beta2 = 0.5; }),
      change([](OptimizerOptions& o) { o.epsilon = 0.5; }),
      change([](OptimizerOptions& o) { o.clip_norm = 0.5; }),
      change([](OptimizerOptions& o) { o.displacement = Displacement::kNext; }),
      change([](OptimizerOptions& o) { o.prediction_decay = true; }),
      change([](OptimizerOptions& o) { o.constant_correction = true; })};
  EXPECT_EQ(changes.size(), OptimizerFields().size()) << "a field of OptimizerOptions is missing";
  ExpectAllDiffer(changes);
}

TEST(JobFingerprint, HasEachFieldOfTheLearningRate) {
  const auto rate = [](std::vector<double> rates, auto set) {
    return [rates, set](Job& job) {
      job.task.learning_rate = LearningRate(rates);
      set(job.task.learning_rate);
    };
  };
  using Shape = LearningRate::Shape;
  // All begin with 0.5: a rate's first value says nothing of the rest.
  ExpectAllDiffer({rate({0.5}, [](LearningRate&) {}), rate({0.5, 0.25}, [](LearningRate&) {}),
                   rate({0.5}, [](LearningRate& r) { r.SetShape(Shape::kStep, 4, 0.5); }),
                   rate({0.5}, [](LearningRate& r) { r.SetShape(Shape::kCosine, 4, 0.5); }),
                   rate({0.5}, [](LearningRate& r) { r.SetShape(Shape::kStep, 5, 0.5); }),
                   rate({0.5}, [](LearningRate& r) { r.SetShape(Shape::kStep, 4, 0.25); }),
                   rate({0.5}, [](LearningRate& r) { r.SetWarmUp(3); })});
}

TEST(JobFingerprint, HasEachFieldOfTheTask) {
  ExpectAllDiffer(
      {[](Job& job) { job.task.model.name = "others"; },
       [](Job& job) { job.task.model.stages[1].push_back(MakeLayer(LayerKind::kRelu, {})); },
       [](Job& job) {  // The same layers, cut elsewhere.
         std::swap(job.task.model.stages[0], job.task.model.stages[1]);
         job.task.model.stages[0].push_back(job.task.model.stages[1].back());
         job.task.model.stages[1].pop_back();
       },
       [](Job& job) {
         job.task.sample = {1, 1};
       },
       [](Job& job) { job.task.type = ElementType::kFloat32; },
       [](Job& job) { job.task.loss = Loss::kCrossEntropy; }, [](Job& job) { job.task.seed = 1; },
       [](Job& job) { job.task.compute.on_gpus = true; },
       [](Job& job) { job.task.compute.options.tf32 = true; },
       [](Job& job) { job.task.compute.options.deterministic = false; },
       [](Job& job) { job.task.compute.options.traffic = true; },
       [](Job& job) { job.task.microbatches_per_epoch = 7; },
       [](Job& job) { job.task.data = [] { return std::string("other scalars"); }; }});
}

TEST(JobFingerprint, HasEachFieldOfThePlan) {
  ExpectAllDiffer(
      {[](Job& job) { ++job.plan.training.schedule.programs[0].back().version; },
       [](Job& job) { ++job.plan.training.slots.slot[0]; },
       [](Job& job) { ++job.plan.training.slots.base[0]; }, [](Job& job) { job.plan.rounds = 2; },
       [](Job& job) { job.plan.rounds_per_pause = 2; },
       [](Job& job) { job.plan.pauses.pop_back(); },
       [](Job& job) { --job.plan.pauses[0].microbatches; },
       [](Job& job) { --job.plan.pauses[0].end[1]; }, [](Job& job) { job.plan.evaluation.reset(); },
       [](Job& job) { ++job.plan.evaluation->schedule.shape.microbatches; },
       [](Job& job) { ++job.plan.begin[0].newest; },
       [](Job& job) { ++job.plan.begin.at(0).older.at(0).back; },
       [](Job& job) { ++job.plan.begin.at(0).older.at(0).slot; },
       [](Job& job) { ++job.plan.end[1].newest; }, [](Job& job) { job.plan.tells_updates = true; },
       [](Job& job) { job.plan.tells_snapshots = true; },
       [](Job& job) {
         *reinterpret_cast<double*>(job.start.weights.tensors.begin()->second.memory.data) = 1;
       },
       [](Job& job) { job.start.state->metadata["position"] = "4"; },
       [](Job& job) { job.start.state.reset(); }});
}

}  // namespace
}  // namespace stagecraft
