#pragma once

#include "engine/optimizer/optimizer_math.h"
#include "engine/optimizer/optimizer_rule.h"

namespace stagecraft {

/// One element of all buffers of an update, as numbers: who calls loads and stores those that there
/// are.
template <typename T>
struct OptimizerElement {
  T gradient = 0;  ///< The sum; 0 after a step.
  T velocity = 0, moment1 = 0, moment2 = 0;
  T last = 0;  ///< Gradient of the last step.
  T difference = 0;
  T weight = 0;     ///< What a step or a prediction begins with.
  T updated = 0;    ///< By a step.
  T predicted = 0;  ///< By a prediction.
  T direction = 0;  ///< Of the last step.
};

/// A step: from `weight` to `updated`.
template <typename T>
STAGECRAFT_ANYWHERE inline void StepElement(const StepRule<T>& rule, T clip,
                                            OptimizerElement<T>& at) {
  T gradient = MeanGradient(at.gradient, rule.count, clip);
  if (rule.decay != 0) {
    gradient = WithDecay(gradient, rule.decay, at.weight);
  }
  at.gradient = 0;
  at.last = gradient;
  at.direction = gradient;
  if (!rule.is_sgd) {
    at.moment1 = FirstMoment(at.moment1, gradient, rule.adam.add1);
    at.moment2 = SecondMoment(at.moment2, gradient, rule.adam.keep2, rule.adam.add2);
    at.direction = AdamDirection(at.moment1, at.moment2, rule.adam.inverse_c1, rule.adam.root_c2,
                                 rule.adam.epsilon);
  } else if (rule.has_velocity) {
    at.velocity = Velocity(at.velocity, gradient, rule.keep_velocity, rule.add_velocity);
    at.direction =
        rule.nesterov ? NesterovDirection(gradient, rule.momentum, at.velocity) : at.velocity;
  }
  at.updated = Moved(rule.keep, at.weight, rule.rate, at.direction);
  at.difference = AverageDifference(rule.difference_decay, at.difference, at.updated, at.weight);
}

/// The direction of the step that a prediction repeats.
template <typename T>
STAGECRAFT_ANYWHERE inline T PredictedDirection(const PredictRule<T>& rule,
                                                const OptimizerElement<T>& at) {
  if (rule.repeats) {
    return at.direction;
  }
  if (rule.is_sgd) {
    if (!rule.has_velocity) {
      return at.last;
    }
    return rule.next ? Velocity(at.velocity, at.last, rule.keep_velocity, rule.add_velocity)
                     : at.velocity;
  }
  const T moment1 = rule.next ? FirstMoment(at.moment1, at.last, rule.adam.add1) : at.moment1;
  const T moment2 =
      rule.next ? SecondMoment(at.moment2, at.last, rule.adam.keep2, rule.adam.add2) : at.moment2;
  return AdamDirection(moment1, moment2, rule.adam.inverse_c1, rule.adam.root_c2,
                       rule.adam.epsilon);
}

/// A prediction: from `weight` to `predicted`. Behind a step, `weight` has become `updated`.
template <typename T>
STAGECRAFT_ANYWHERE inline void PredictElement(const PredictRule<T>& rule,
                                               OptimizerElement<T>& at) {
  if (rule.kind == PredictRule<T>::Kind::kSame) {
    at.predicted = at.weight;
  } else if (rule.kind == PredictRule<T>::Kind::kDifference) {
    at.predicted = Moved(T{1}, at.weight, rule.rate, at.difference);
  } else {
    at.predicted = Moved(rule.keep, at.weight, rule.rate, PredictedDirection(rule, at));
  }
}

}  // namespace stagecraft
