#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "engine/model_stage.h"

namespace stagecraft {

/// A stage that runs forwards of the evaluation data with the newest weights of `stage`. Stage and
/// weights must outlive it.
class EvaluationStage : public Stage {
 public:
  EvaluationStage(ModelStage* stage, const WeightStore* weights)
      : stage_(stage), weights_(weights) {}

  Boundary Forward(std::int32_t microbatch, std::int32_t, Boundary input, bool) override {
    return stage_->Evaluate(microbatch, weights_->NewestSlot(), std::move(input));
  }
  std::size_t ReceivedBytes(OpKind, std::int32_t microbatch) override {
    return stage_->EvaluatedBytes(microbatch);
  }
  void Recompute(std::int32_t, std::int32_t) override {}
  Boundary Backward(std::int32_t, std::int32_t, Boundary) override { return {}; }
  Boundary BackwardInput(std::int32_t, std::int32_t, Boundary) override { return {}; }
  void BackwardWeight(std::int32_t, std::int32_t) override {}

 private:
  ModelStage* stage_;
  const WeightStore* weights_;
};

}  // namespace stagecraft
