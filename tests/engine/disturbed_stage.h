#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "engine/stage.h"

namespace stagecraft::test {

/// A stage to which something happens right before the backward of one micro-batch.
class DisturbedStage : public Stage {
 public:
  DisturbedStage(std::unique_ptr<Stage> stage, std::int32_t microbatch,
                 std::function<void()> disturb)
      : stage_(std::move(stage)), microbatch_(microbatch), disturb_(std::move(disturb)) {}

  Boundary Forward(std::int32_t q, std::int32_t slot, Boundary input, bool keep) override {
    return stage_->Forward(q, slot, std::move(input), keep);
  }
  void Recompute(std::int32_t q, std::int32_t slot) override { stage_->Recompute(q, slot); }
  Boundary Backward(std::int32_t q, std::int32_t slot, Boundary gradient) override {
    if (q == microbatch_) {
      disturb_();
    }
    return stage_->Backward(q, slot, std::move(gradient));
  }
  Boundary BackwardInput(std::int32_t q, std::int32_t slot, Boundary gradient) override {
    return stage_->BackwardInput(q, slot, std::move(gradient));
  }
  void BackwardWeight(std::int32_t q, std::int32_t slot) override {
    stage_->BackwardWeight(q, slot);
  }

 private:
  std::unique_ptr<Stage> stage_;
  std::int32_t microbatch_;
  std::function<void()> disturb_;
};

}  // namespace stagecraft::test
