#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/optimizer/weight_memory.h"

namespace stagecraft {

/// S: applies the mean of the gradients added up since the last step, over `samples` samples, to
/// `version` in slot `from`; the next version goes into slot `to`, which may be the same.
struct StepOp {
  std::int32_t version = 0;
  std::int32_t from = 0;
  std::int32_t to = 0;
  std::int64_t samples = 1;
};

/// P: writes into slot `to` what is expected `horizon` updates after `version`, in slot `from`.
struct PredictOp {
  std::int32_t version = 0;
  std::int32_t horizon = 0;
  std::int32_t from = 0;
  std::int32_t to = 0;
};

/// What a slot holds: a version or, if the horizon is not 0, the prediction made from it.
struct SlotContent {
  std::int32_t version = 0;
  std::int32_t horizon = 0;

  friend bool operator==(const SlotContent&, const SlotContent&) = default;
};

/// The weight buffers of one stage on one rank, and what makes one out of another.
class Weights {
 public:
  Weights() = default;
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;
  virtual ~Weights() = default;

  /// Also clears the gradients.
  virtual void Step(const StepOp& step) = 0;

  virtual void Predict(const PredictOp& prediction) = 0;

  /// `Step`, and then `Predict` from its outcome: the same bits, perhaps faster.
  virtual void StepAndPredict(const StepOp& step, const PredictOp& prediction) {
    Step(step);
    Predict(prediction);
  }

  /// What `slot` holds now; nullopt if these weights keep no account of that.
  virtual std::optional<SlotContent> Holds(std::int32_t /*slot*/) const { return std::nullopt; }

  /// For an A: the sum of the gradients in main memory. The caller replaces it by the sum over all
  /// replicas, and then calls `GradientReplaced`.
  virtual std::span<double> Gradient() = 0;
  virtual void GradientReplaced() {}

  /// The gradient in device memory, to be replaced in place; nullopt if it is in main memory.
  virtual std::optional<DeviceValues> GradientOnDevice() { return std::nullopt; }
};

}  // namespace stagecraft
