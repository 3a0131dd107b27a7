#pragma once

#include <cmath>
#include <cstdint>

#include "engine/optimizer/optimizer.h"
#include "engine/optimizer/optimizer_kernels.h"

namespace stagecraft {

// What is the same for all elements of an update, worked out once.

/// The numbers of Adam's direction after `updates` updates.
template <typename T>
struct AdamNumbers {
  T inverse_c1 = 1, root_c2 = 1, epsilon = 0;
  T add1 = 0, keep2 = 0, add2 = 0;  ///< Of the moments.

  AdamNumbers() = default;
  AdamNumbers(const OptimizerOptions& options, std::int64_t updates, bool constant)
      : epsilon(static_cast<T>(options.epsilon)),
        add1(static_cast<T>(1 - options.beta1)),
        keep2(static_cast<T>(options.beta2)),
        add2(static_cast<T>(1 - options.beta2)) {
    const double exponent = constant ? 1 : static_cast<double>(updates);
    inverse_c1 = static_cast<T>(1 / (1 - std::pow(options.beta1, exponent)));
    root_c2 = static_cast<T>(std::sqrt(1 - std::pow(options.beta2, exponent)));
  }
};

template <typename T>
struct StepRule {
  bool is_sgd = true;
  bool has_velocity = false;
  bool nesterov = false;
  T count = 1, clip = 1;
  T decay = 0;  ///< That goes into the gradient.
  T keep_velocity = 0, add_velocity = 1, momentum = 0;
  AdamNumbers<T> adam;
  T keep = 1, rate = 0;  ///< Of the move.
  T difference_decay = 0;

  StepRule() = default;
  StepRule(const OptimizerOptions& options, const StepNumbers& step)
      : is_sgd(options.kind == OptimizerKind::kSgd),
        has_velocity(is_sgd && options.momentum > 0),
        nesterov(options.nesterov),
        count(static_cast<T>(step.count)),
        clip(static_cast<T>(step.clip)),
        decay(static_cast<T>(options.kind == OptimizerKind::kAdamW ? 0.0 : options.weight_decay)),
        keep_velocity(static_cast<T>(step.updates == 0 ? 0 : options.momentum)),
        add_velocity(static_cast<T>(step.updates == 0 ? 1 : 1 - options.dampening)),
        momentum(static_cast<T>(options.momentum)),
        rate(static_cast<T>(step.rate)),
        difference_decay(static_cast<T>(step.difference_decay)) {
    if (!is_sgd) {
      adam = AdamNumbers<T>(options, step.updates + 1, false);
    }
    if (options.kind == OptimizerKind::kAdamW) {
      keep = static_cast<T>(1 - step.rate * options.weight_decay);
    }
  }
};

/// Whether a prediction behind a step repeats the direction of that step, number by number.
inline bool RepeatsStep(const OptimizerOptions& options, const StepNumbers& step,
                        const PredictNumbers& prediction) {
  return options.kind != OptimizerKind::kSgd && options.displacement == Displacement::kLast &&
         !options.constant_correction && prediction.updates == step.updates + 1 &&
         prediction.horizon > 0;
}

template <typename T>
struct PredictRule {
  enum class Kind : std::uint8_t {
    kSame,        ///< Nothing has been learnt yet.
    kDifference,  ///< Back along what steps changed on average.
    kDirection,   ///< On along a step's direction.
  };
  Kind kind = Kind::kSame;
  bool is_sgd = true;
  bool has_velocity = false;
  bool next = false;     ///< The direction is the next step's, if the last gradient came again.
  bool repeats = false;  ///< It is that of the step before, which is at hand.
  T keep_velocity = 0, add_velocity = 1;
  AdamNumbers<T> adam;
  T keep = 1, rate = 0;  ///< Of the move.

  PredictRule() = default;
  PredictRule(const OptimizerOptions& options, const PredictNumbers& prediction)
      : is_sgd(options.kind == OptimizerKind::kSgd),
        has_velocity(is_sgd && options.momentum > 0),
        next(options.displacement == Displacement::kNext),
        keep_velocity(static_cast<T>(options.momentum)),
        add_velocity(static_cast<T>(1 - options.dampening)) {
    if (prediction.updates == 0) {
      return;
    }
    if (prediction.horizon < 0) {
      kind = Kind::kDifference;
      rate = static_cast<T>(-prediction.horizon);
      return;
    }
    kind = Kind::kDirection;
    if (!is_sgd) {
      adam = AdamNumbers<T>(options, next ? prediction.updates + 1 : prediction.updates,
                            options.constant_correction);
    }
    const double far = prediction.rate * static_cast<double>(prediction.horizon);
    const double decay = options.prediction_decay ? options.weight_decay : 0;
    keep = static_cast<T>(1 - far * decay);
    rate = static_cast<T>(far);
  }
};

}  // namespace stagecraft
