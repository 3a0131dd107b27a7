#include "tests/engine/scalar_model.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <tuple>

#include <fmt/format.h>

#include "engine/ranks/thread_job.h"
#include "schedules/progress.h"

namespace stagecraft::test {
namespace {

Boundary Pack(double value) {
  Boundary boundary = MakeBoundary(sizeof value);
  std::memcpy(boundary.data, &value, sizeof value);
  return boundary;
}

double Unpack(const Boundary& boundary) {
  double value = 0;
  std::memcpy(&value, boundary.data, sizeof value);
  return value;
}

/// What the two halves of a stage share, and the place where results go.
struct Shared {
  ScalarStage model;
  std::vector<double> slots;
  std::int32_t newest_slot = 0;
};

std::mutex& ResultMutex() {
  static std::mutex mutex;
  return mutex;
}

class ScalarStagePart : public Stage {
 public:
  ScalarStagePart(std::shared_ptr<Shared> shared, std::int32_t stage, std::int32_t last,
                  ScalarResult& result)
      : shared_(std::move(shared)), stage_(stage), last_(last), result_(result) {}

  Boundary Forward(std::int32_t q, std::int32_t slot, Boundary input, bool) override {
    inputs_[q] = stage_ == 0 ? ScalarStage::Input(q) : Unpack(input);
    const double output = Slot(slot) * inputs_[q];
    if (stage_ < last_) {
      return Pack(output);
    }
    const std::lock_guard lock(ResultMutex());
    result_.outputs[q] = output;
    return {};
  }
  void Recompute(std::int32_t, std::int32_t) override {}
  Boundary Backward(std::int32_t q, std::int32_t slot, Boundary gradient) override {
    Boundary result = BackwardInput(q, slot, std::move(gradient));
    BackwardWeight(q, slot);
    return result;
  }
  Boundary BackwardInput(std::int32_t q, std::int32_t slot, Boundary gradient) override {
    gradients_[q] = stage_ == last_ ? Slot(slot) * inputs_[q] : Unpack(gradient);
    return stage_ == 0 ? Boundary{} : Pack(gradients_[q] * Slot(slot));
  }
  void BackwardWeight(std::int32_t q, std::int32_t /*slot*/) override {
    shared_->model.gradient += gradients_[q] * inputs_[q];
  }

 private:
  double Slot(std::int32_t slot) const { return shared_->slots.at(static_cast<std::size_t>(slot)); }

  std::shared_ptr<Shared> shared_;
  std::int32_t stage_;
  std::int32_t last_;
  ScalarResult& result_;
  std::map<std::int32_t, double> inputs_, gradients_;
};

class ScalarWeights : public Weights {
 public:
  ScalarWeights(std::shared_ptr<Shared> shared, std::pair<std::int32_t, std::int32_t> key,
                ScalarResult& result)
      : shared_(std::move(shared)), key_(key), result_(result) {}
  ~ScalarWeights() override {
    const std::lock_guard lock(ResultMutex());
    result_.weights[key_] = Slot(shared_->newest_slot);
  }
  ScalarWeights(const ScalarWeights&) = delete;
  ScalarWeights& operator=(const ScalarWeights&) = delete;

  void Step(const StepOp& step) override {
    Slot(step.to) = shared_->model.Stepped(Slot(step.from), step.samples);
    shared_->newest_slot = step.to;
  }
  void Predict(const PredictOp& prediction) override {
    Slot(prediction.to) = shared_->model.Predicted(Slot(prediction.from), prediction.horizon);
  }
  std::span<double> Gradient() override { return {&shared_->model.gradient, 1}; }

 private:
  double& Slot(std::int32_t slot) { return shared_->slots.at(static_cast<std::size_t>(slot)); }

  std::shared_ptr<Shared> shared_;
  std::pair<std::int32_t, std::int32_t> key_;
  ScalarResult& result_;
};

}  // namespace

std::vector<std::string> Lines(const ScalarResult& result) {
  std::vector<std::string> lines;
  for (const auto& [place, weight] : result.weights) {
    lines.push_back(fmt::format("weight {} on {}: {:a}", place.first, place.second, weight));
  }
  for (const auto& [microbatch, output] : result.outputs) {
    lines.push_back(fmt::format("output {}: {:a}", microbatch, output));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::map<std::int32_t, StagePart> ScalarParts(const ExecutionPlan& plan, std::int32_t rank,
                                              ScalarResult& result) {
  std::map<std::int32_t, StagePart> parts;
  for (const StageSlots& slots : plan.slots.stages) {
    if (slots.rank != rank) {
      continue;
    }
    const auto shared = std::make_shared<Shared>();
    shared->slots.assign(static_cast<std::size_t>(slots.slots), 0.0);
    shared->slots[0] = ScalarStage::Initial(slots.stage);
    parts[slots.stage] = {
        std::make_unique<ScalarStagePart>(shared, slots.stage, plan.schedule.shape.stages - 1,
                                          result),
        std::make_unique<ScalarWeights>(shared, std::pair(slots.stage, rank), result)};
  }
  return parts;
}

ScalarResult ExecuteScalar(const ExecutionPlan& plan, Recorder* recorder) {
  ScalarResult result;
  RunAsThreads(
      plan, RunProgramOf(plan, [&](std::int32_t rank) { return ScalarParts(plan, rank, result); }),
      {.recorder = recorder});
  return result;
}

namespace {

/// Reads like the semantics of schedules/README.md, op by op.
class Interpreter {
 public:
  explicit Interpreter(const Schedule& schedule)
      : schedule_(schedule), ranks_of_stage_(RanksOfStages(schedule)) {
    for (std::int32_t stage = 0; stage < schedule.shape.stages; ++stage) {
      for (const std::int32_t rank : ranks_of_stage_[stage]) {
        versions_[{stage, rank, 0, 0}] = ScalarStage::Initial(stage);
        newest_[{stage, rank}] = 0;
      }
    }
  }

  void Run(OpRef ref) {
    const Op& op = schedule_.At(ref);
    const std::pair<std::int32_t, std::int32_t> place(op.stage, ref.rank);
    const std::pair<std::int32_t, std::int32_t> work(op.stage, op.microbatch);
    const auto key = std::tuple(op.stage, ref.rank, op.version, std::int32_t{op.horizon});
    ScalarStage& model = models_[place];
    const bool first = op.stage == 0;
    const bool last = op.stage + 1 == schedule_.shape.stages;
    switch (op.kind) {
      case OpKind::kForward:
        input_[work] =
            first ? ScalarStage::Input(op.microbatch) : output_.at({op.stage - 1, op.microbatch});
        output_[work] = versions_.at(key) * input_[work];
        break;
      case OpKind::kBackward:
      case OpKind::kBackwardInput:
        gradient_[work] = last ? versions_.at(key) * input_.at(work)
                               : input_gradient_.at({op.stage + 1, op.microbatch});
        input_gradient_[work] = gradient_[work] * versions_.at(key);
        if (op.kind == OpKind::kBackwardInput) {
          break;
        }
        [[fallthrough]];
      case OpKind::kBackwardWeight:
        model.gradient += gradient_.at(work) * input_.at(work);
        ++count_[place];
        break;
      case OpKind::kStep:
        versions_[{op.stage, ref.rank, op.version + 1, 0}] =
            model.Stepped(versions_.at({op.stage, ref.rank, op.version, 0}), count_[place]);
        newest_[place] = op.version + 1;
        count_[place] = 0;
        break;
      case OpKind::kPredict:
        versions_[key] =
            model.Predicted(versions_.at({op.stage, ref.rank, op.version, 0}), op.horizon);
        break;
      case OpKind::kAllReduce:
        Meet(op.stage, op.version);
        break;
      default:
        break;
    }
  }

  ScalarResult Result() const {
    ScalarResult result;
    for (const auto& [place, newest] : newest_) {
      result.weights[place] = versions_.at({place.first, place.second, newest, 0});
    }
    for (const auto& [work, output] : output_) {
      if (work.first + 1 == schedule_.shape.stages) {
        result.outputs[work.second] = output;
      }
    }
    return result;
  }

 private:
  /// The order in which ops can run has every member's gradients before any member's A.
  void Meet(std::int32_t stage, std::int32_t version) {
    if (!met_.insert({{stage, version}, true}).second) {
      return;
    }
    double sum = 0;
    std::int32_t count = 0;
    bool is_first = true;
    for (const std::int32_t rank : ranks_of_stage_[stage]) {
      const double gradient = models_[{stage, rank}].gradient;
      sum = is_first ? gradient : sum + gradient;
      is_first = false;
      count += count_[{stage, rank}];
    }
    for (const std::int32_t rank : ranks_of_stage_[stage]) {
      models_[{stage, rank}].gradient = sum;
      count_[{stage, rank}] = count;
    }
  }

  using Pair = std::pair<std::int32_t, std::int32_t>;

  const Schedule& schedule_;
  Table<Table<std::int32_t>> ranks_of_stage_;
  std::map<std::tuple<std::int32_t, std::int32_t, std::int32_t, std::int32_t>, double>
      versions_;  ///< By stage, rank, version, horizon.
  std::map<Pair, std::int32_t> newest_, count_;
  std::map<Pair, ScalarStage> models_;  ///< By stage and rank.
  std::map<Pair, double> input_, output_, gradient_, input_gradient_;
  std::map<Pair, bool> met_;
};

}  // namespace

ScalarResult InterpretScalar(const Schedule& lowered) {
  Interpreter interpreter(lowered);
  for (const OpRef op : OrderOps(lowered, FindDependencies(lowered), SendMode::kEager).order) {
    interpreter.Run(op);
  }
  return interpreter.Result();
}

}  // namespace stagecraft::test
