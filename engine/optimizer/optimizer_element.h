#pragma once

#include <type_traits>

#include "engine/optimizer/optimizer_math.h"
#include "engine/optimizer/optimizer_rule.h"

namespace stagecraft {

/// One element of all buffers of an update, as numbers: the caller loads and stores those that
/// there are.
template <typename T>
struct OptimizerElement {
  T gradient = 0;  ///< The sum; 0 after a step.
  T velocity = 0, moment1 = 0, moment2 = 0;
  T last = 0;  ///< Gradient of the last step.
  T difference = 0;
  T weight = 0;     ///< What a step or a prediction begins with.
  T updated = 0;    ///< The outcome of a step.
  T predicted = 0;  ///< The outcome of a prediction.
  T direction = 0;  ///< Of the last step.
};

/// Calls `use` with `direction` as a type, std::integral_constant<Direction, ...>: a loop over
/// elements inside of it is made for each direction, and has no branch.
template <typename Use>
STAGECRAFT_ANYWHERE inline void WithDirection(Direction direction, const Use& use) {
  switch (direction) {
    case Direction::kGradient:
      return use(std::integral_constant<Direction, Direction::kGradient>());
    case Direction::kVelocity:
      return use(std::integral_constant<Direction, Direction::kVelocity>());
    case Direction::kNesterov:
      return use(std::integral_constant<Direction, Direction::kNesterov>());
    case Direction::kMoments:
      return use(std::integral_constant<Direction, Direction::kMoments>());
  }
}

/// Brings what a step keeps up to date with its gradient, `last`, and gives its direction.
template <Direction kDirection, typename T>
STAGECRAFT_ANYWHERE inline T DirectionOfStep(const StepRule<T>& rule, OptimizerElement<T>& at) {
  if constexpr (kDirection == Direction::kGradient) {
    return at.last;
  } else if constexpr (kDirection == Direction::kMoments) {
    at.moment1 = FirstMoment(at.moment1, at.last, rule.adam.add1);
    at.moment2 = SecondMoment(at.moment2, at.last, rule.adam.keep2, rule.adam.add2);
    return AdamDirection(at.moment1, at.moment2, rule.adam.inverse_c1, rule.adam.root_c2,
                         rule.adam.epsilon);
  } else {
    at.velocity = Velocity(at.velocity, at.last, rule.keep_velocity, rule.add_velocity);
    return kDirection == Direction::kNesterov
               ? NesterovDirection(at.last, rule.momentum, at.velocity)
               : at.velocity;
  }
}

/// The direction of the step that a prediction repeats: of the next one if `kNext`, else of the one
/// before, which was taken with what is kept now.
template <Direction kDirection, bool kNext, typename T>
STAGECRAFT_ANYWHERE inline T DirectionOfPrediction(const PredictRule<T>& rule,
                                                   const OptimizerElement<T>& at) {
  if constexpr (kDirection == Direction::kGradient) {
    return at.last;
  } else if constexpr (kDirection == Direction::kMoments) {
    const T moment1 = kNext ? FirstMoment(at.moment1, at.last, rule.adam.add1) : at.moment1;
    const T moment2 =
        kNext ? SecondMoment(at.moment2, at.last, rule.adam.keep2, rule.adam.add2) : at.moment2;
    return AdamDirection(moment1, moment2, rule.adam.inverse_c1, rule.adam.root_c2,
                         rule.adam.epsilon);
  } else {
    return kNext ? Velocity(at.velocity, at.last, rule.keep_velocity, rule.add_velocity)
                 : at.velocity;
  }
}

/// A step: from `weight` to `updated`.
template <typename T>
STAGECRAFT_ANYWHERE inline void StepElement(const StepRule<T>& rule, T clip,
                                            OptimizerElement<T>& at) {
  at.last = MeanGradient(at.gradient, rule.count, clip);
  if (rule.decay != 0) {
    at.last = WithDecay(at.last, rule.decay, at.weight);
  }
  at.gradient = 0;

  WithDirection(rule.direction, [&](auto direction) {
    at.direction = DirectionOfStep<decltype(direction)::value>(rule, at);
  });
  at.updated = Moved(rule.keep, at.weight, rule.rate, at.direction);
  at.difference = AverageDifference(rule.difference_decay, at.difference, at.updated, at.weight);
}

/// A prediction: from `weight` to `predicted`. Behind a step, `weight` has become `updated`.
template <typename T>
STAGECRAFT_ANYWHERE inline void PredictElement(const PredictRule<T>& rule,
                                               OptimizerElement<T>& at) {
  using Kind = typename PredictRule<T>::Kind;
  if (rule.kind == Kind::kSame) {
    at.predicted = at.weight;
    return;
  }
  if (rule.kind == Kind::kDifference) {
    at.predicted = Moved(T{1}, at.weight, rule.rate, at.difference);
    return;
  }

  T along = at.direction;
  if (!rule.repeats) {
    WithDirection(rule.direction, [&](auto direction) {
      constexpr Direction kDirection = decltype(direction)::value;
      along = rule.next ? DirectionOfPrediction<kDirection, true>(rule, at)
                        : DirectionOfPrediction<kDirection, false>(rule, at);
    });
  }
  at.predicted = Moved(rule.keep, at.weight, rule.rate, along);
}

}  // namespace stagecraft
