#pragma once

#include <cmath>
#include <cstdint>

#include "engine/optimizer/optimizer.h"
#include "engine/optimizer/optimizer_kernels.h"

namespace stagecraft {

// The numbers of an update that are the same for all its elements, worked out once. Kernels of main
// memory and of GPUs take them from here, so that both round alike.

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

/// A step: the weights become keep * weights - rate * direction.
template <typename T>
struct StepRule {
  Direction direction = Direction::kGradient;
  T count = 1, clip = 1;  ///< The gradient is the sum / count * clip.
  T decay = 0;            ///< Weight decay that goes into the gradient.
  T keep_velocity = 0, add_velocity = 1, momentum = 0;
  AdamNumbers<T> adam;
  T keep = 1, rate = 0;
  T difference_decay = 0;

  StepRule() = default;
  StepRule(const OptimizerOptions& options, const StepNumbers& step)
      : direction(DirectionOf(options)),
        count(static_cast<T>(step.count)),
        clip(static_cast<T>(step.clip)),
        keep_velocity(static_cast<T>(step.updates == 0 ? 0 : options.momentum)),
        add_velocity(static_cast<T>(step.updates == 0 ? 1 : 1 - options.dampening)),
        momentum(static_cast<T>(options.momentum)),
        rate(static_cast<T>(step.rate)),
        difference_decay(static_cast<T>(step.difference_decay)) {
    if (direction == Direction::kMoments) {
      adam = AdamNumbers<T>(options, step.updates + 1, false);
    }
    if (TraitsOf(options.kind).decays_apart) {
      keep = static_cast<T>(1 - step.rate * options.weight_decay);
    } else {
      decay = static_cast<T>(options.weight_decay);
    }
  }
};

/// Whether a prediction behind a step repeats the direction of that step, number by number.
inline bool RepeatsStep(const OptimizerOptions& options, const StepNumbers& step,
                        const PredictNumbers& prediction) {
  return DirectionOf(options) == Direction::kMoments &&
         options.displacement == Displacement::kLast && !options.constant_correction &&
         prediction.updates == step.updates + 1 && prediction.horizon > 0;
}

/// A prediction: keep * weights - rate * direction, or what its kind says.
template <typename T>
struct PredictRule {
  enum class Kind : std::uint8_t {
    kSame,        ///< Nothing has been learnt yet: the weights as they are.
    kDifference,  ///< Back along what steps changed on average.
    kDirection,   ///< On along a step's direction.
  };
  Kind kind = Kind::kSame;
  Direction direction = Direction::kGradient;
  bool next = false;     ///< The direction is the next step's, if the last gradient came again.
  bool repeats = false;  ///< The direction is that of the step before, which is at hand.
  T keep_velocity = 0, add_velocity = 1;
  AdamNumbers<T> adam;
  T keep = 1, rate = 0;

  PredictRule() = default;
  PredictRule(const OptimizerOptions& options, const PredictNumbers& prediction)
      : direction(DirectionOf(options)),
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
    if (direction == Direction::kMoments) {
      adam = AdamNumbers<T>(options, next ? prediction.updates + 1 : prediction.updates,
                            options.constant_correction);
    }
    const double far = prediction.rate * static_cast<double>(prediction.horizon);
    const double decay = options.prediction_decay ? options.weight_decay : 0;
    keep = static_cast<T>(1 - far * decay);
    rate = static_cast<T>(far);
  }

  /// The same behind a step, whose direction may be the one to repeat.
  PredictRule(const OptimizerOptions& options, const PredictNumbers& prediction,
              const StepNumbers& step)
      : PredictRule(options, prediction) {
    repeats = RepeatsStep(options, step, prediction);
  }
};

}  // namespace stagecraft
