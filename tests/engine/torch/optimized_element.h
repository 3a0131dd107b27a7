#pragma once

#include <cmath>
#include <cstdint>

#include "engine/optimizer/optimizer.h"

namespace stagecraft::test {

/// One element under an optimizer. T is float or double; formulas and their order are the
/// documentation's.
template <typename T>
struct Element {
  T velocity = 0, m = 0, v = 0, last = 0, difference = 0;

  T Stepped(const OptimizerOptions& o, T w, T g, std::int64_t t, double rate, double decay) {
    const T old = w;
    const auto lr = static_cast<T>(rate);
    if (o.kind != OptimizerKind::kAdamW && o.weight_decay != 0) {
      g = g + static_cast<T>(o.weight_decay) * w;
    }
    last = g;
    if (o.kind == OptimizerKind::kSgd) {
      T direction = g;
      if (o.momentum != 0) {
        velocity =
            t == 0 ? g
                   : static_cast<T>(o.momentum) * velocity + static_cast<T>(1 - o.dampening) * g;
        direction = o.nesterov ? g + static_cast<T>(o.momentum) * velocity : velocity;
      }
      w = w - lr * direction;
    } else {
      m = m + static_cast<T>(1 - o.beta1) * (g - m);
      v = static_cast<T>(o.beta2) * v + static_cast<T>(1 - o.beta2) * (g * g);
      const T keep =
          o.kind == OptimizerKind::kAdamW ? static_cast<T>(1 - rate * o.weight_decay) : T{1};
      w = keep * w - lr * Direction(o, m, v, t + 1, false);
    }
    difference = static_cast<T>(decay) * difference + (1 - static_cast<T>(decay)) * (w - old);
    return w;
  }

  T Predicted(const OptimizerOptions& o, T w, std::int64_t t, std::int32_t horizon,
              double rate) const {
    if (t == 0) {
      return w;
    }
    if (horizon < 0) {
      return w - static_cast<T>(-horizon) * difference;
    }
    const bool next = o.displacement == Displacement::kNext;
    T direction;
    if (o.kind == OptimizerKind::kSgd) {
      direction = o.momentum == 0 ? last : velocity;
      if (next && o.momentum != 0) {
        direction = static_cast<T>(o.momentum) * velocity + static_cast<T>(1 - o.dampening) * last;
      }
    } else if (next) {
      direction =
          Direction(o, m + static_cast<T>(1 - o.beta1) * (last - m),
                    static_cast<T>(o.beta2) * v + static_cast<T>(1 - o.beta2) * (last * last),
                    t + 1, o.constant_correction);
    } else {
      direction = Direction(o, m, v, t, o.constant_correction);
    }
    const double far = rate * horizon;
    const double decay = o.prediction_decay ? o.weight_decay : 0;
    return static_cast<T>(1 - far * decay) * w - static_cast<T>(far) * direction;
  }

  static T Direction(const OptimizerOptions& o, T m, T v, std::int64_t t, bool constant) {
    const double exponent = constant ? 1 : static_cast<double>(t);
    const auto c1 = static_cast<T>(1 / (1 - std::pow(o.beta1, exponent)));
    const auto c2 = static_cast<T>(std::sqrt(1 - std::pow(o.beta2, exponent)));
    return (m * c1) / (std::sqrt(v) / c2 + static_cast<T>(o.epsilon));
  }
};

}  // namespace stagecraft::test
