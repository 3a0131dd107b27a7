#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/model_stage.h"
#include "engine/training.h"

namespace stagecraft::test {

/// Computes models whose stages are a single weight, y = w x, in double: a framework without
/// LibTorch. The loss is half the square of the last output's difference from the target. Where a
/// stage has a batch norm as well, only its running mean counts: of the inputs in training, added
/// to the output in evaluation.
class ScalarStageOfModel : public ModelStage {
 public:
  explicit ScalarStageOfModel(StageSetup setup) : setup_(std::move(setup)) {}

  void StartAt(std::int64_t microbatch) override { first_ = microbatch; }

  Boundary Forward(std::int32_t q, std::int32_t slot, Boundary input, bool) override {
    inputs_[q] = IsFirst() ? Number(setup_.training->Input(first_ + q).memory) : Number(input);
    if (HasMean()) {
      Mean() += (inputs_[q] - Mean()) / 8;
    }
    const double output = Weight(slot) * inputs_[q];
    if (!IsLast()) {
      return Pack(output);
    }
    errors_[q] = output - Number(setup_.training->Target(first_ + q).memory);
    setup_.on_result({first_ + q, errors_[q] * errors_[q] / 2, 1, 0});
    return {};
  }
  void Recompute(std::int32_t, std::int32_t) override {}
  Boundary Backward(std::int32_t q, std::int32_t slot, Boundary gradient) override {
    Boundary result = BackwardInput(q, slot, std::move(gradient));
    BackwardWeight(q, slot);
    return result;
  }
  Boundary BackwardInput(std::int32_t q, std::int32_t slot, Boundary gradient) override {
    of_outputs_[q] = IsLast() ? errors_.at(q) : Number(gradient);
    return IsFirst() ? Boundary{} : Pack(of_outputs_[q] * Weight(slot));
  }
  void BackwardWeight(std::int32_t q, std::int32_t) override {
    reinterpret_cast<double*>(setup_.weights->GradientData())[0] +=
        of_outputs_.at(q) * inputs_.at(q);
  }

  Boundary Evaluate(std::int32_t q, std::int32_t slot, Boundary input) override {
    const double x = IsFirst() ? Number(setup_.evaluation->Input(q).memory) : Number(input);
    const double output = Weight(slot) * x + (HasMean() ? Mean() : 0);
    if (!IsLast()) {
      return Pack(output);
    }
    const double error = output - Number(setup_.evaluation->Target(q).memory);
    setup_.on_result({q, error * error / 2, 1, 0});
    return {};
  }

 private:
  static double Number(const Boundary& boundary) {
    double value = 0;
    std::memcpy(&value, boundary.data, sizeof value);
    return value;
  }
  static Boundary Pack(double value) {
    Boundary boundary = MakeBoundary(sizeof value);
    std::memcpy(boundary.data, &value, sizeof value);
    return boundary;
  }
  double Weight(std::int32_t slot) const {
    return reinterpret_cast<const double*>(setup_.weights->Slot(slot))[0];
  }
  bool IsFirst() const { return setup_.stage == 0; }
  bool IsLast() const { return setup_.stage + 1 == setup_.stages; }
  bool HasMean() const { return !setup_.layout.buffers.empty(); }
  double& Mean() const { return reinterpret_cast<double*>(setup_.statistics)[0]; }

  StageSetup setup_;
  std::int64_t first_ = 0;
  std::map<std::int32_t, double> inputs_, errors_, of_outputs_;
};

class ScalarFramework : public Framework {
 public:
  std::string Version() const override { return "scalars"; }
  std::unique_ptr<Device> PrepareThread(const RankPlace&) override { return nullptr; }
  std::unique_ptr<ModelStage> MakeStage(StageSetup setup) override {
    return std::make_unique<ScalarStageOfModel>(std::move(setup));
  }
  std::unique_ptr<Store> ConnectStore(const StoreAddress&) override {
    return std::make_unique<MemoryStore>();
  }
};

/// Micro-batch q is x = 1 + (q mod 8) / 8, wanted is 2 x.
class ScalarBatches : public BatchSource {
 public:
  std::int64_t Samples(std::int64_t) override { return 1; }
  HostTensor Input(std::int64_t q) override { return Make(1 + static_cast<double>(q % 8) / 8); }
  HostTensor Target(std::int64_t q) override { return Make(2 + static_cast<double>(q % 8) / 4); }

 private:
  static HostTensor Make(double value) {
    HostTensor tensor = MakeHostTensor(ElementType::kFloat64, {1, 1});
    std::memcpy(tensor.memory.data, &value, sizeof value);
    return tensor;
  }
};

inline TrainingTask ScalarTask(std::int32_t stages, const OptimizerOptions& optimizer) {
  TrainingTask task;
  task.model.name = "scalars";
  for (std::int32_t stage = 0; stage < stages; ++stage) {
    task.model.stages.push_back({MakeLayer(LayerKind::kLinear, {1, 1, 0})});
  }
  task.sample = {1};
  task.type = ElementType::kFloat64;
  task.loss = Loss::kMeanSquares;
  task.optimizer = optimizer;
  task.learning_rate = LearningRate({0.02});
  task.training = [] { return std::make_unique<ScalarBatches>(); };
  task.evaluation = task.training;
  return task;
}

}  // namespace stagecraft::test
