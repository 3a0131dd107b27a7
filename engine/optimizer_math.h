#pragma once

#include <cmath>

namespace stagecraft {

// What happens to one element; T is float or double. Plain functions of numbers, so that any loop
// over any memory can use them.

/// SGD's velocity: v = keep * v + add * g. (keep, add) is (momentum, 1 - dampening), or (0, 1) in
/// the first step.
template <typename T>
inline T Velocity(T v, T g, T keep, T add) {
  return keep * v + add * g;
}

/// Adam's moments: m = m + (1 - beta1) (g - m), v = beta2 v + (1 - beta2) g^2.
template <typename T>
inline T FirstMoment(T m, T g, T one_minus_beta1) {
  return m + one_minus_beta1 * (g - m);
}
template <typename T>
inline T SecondMoment(T v, T g, T beta2, T one_minus_beta2) {
  return beta2 * v + one_minus_beta2 * (g * g);
}

/// Adam's direction (m / c1) / (sqrt(v) / sqrt(c2) + epsilon), given 1 / c1 and sqrt(c2).
template <typename T>
inline T AdamDirection(T m, T v, T inverse_c1, T root_c2, T epsilon) {
  return (m * inverse_c1) / (std::sqrt(v) / root_c2 + epsilon);
}

}  // namespace stagecraft
