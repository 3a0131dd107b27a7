#pragma once

#include <cmath>

/// Before functions that kernels of CUDA call as well.
#ifdef __CUDACC__
#define STAGECRAFT_ANYWHERE __host__ __device__
#else
#define STAGECRAFT_ANYWHERE
#endif

namespace stagecraft {

// What happens to one element; T is float or double. Plain functions of numbers, so that any loop
// over any memory can use them: those of main memory (optimizer_kernels.cc), block by block, and
// those of GPUs (cuda/device_kernels.cu), element by element (optimizer_element.h).
//
// a * b + c is two operations everywhere (-ffp-contract=off, --fmad=false): so all give the same
// bits.

/// False for an infinity and for what is no number.
template <typename T>
STAGECRAFT_ANYWHERE inline bool IsFiniteNumber(T x) {
  return x - x == 0;
}

/// Mean of the sum over `count` micro-batches, clipped.
template <typename T>
STAGECRAFT_ANYWHERE inline T MeanGradient(T sum, T count, T clip) {
  return sum / count * clip;
}

/// Weight decay that goes into the gradient.
template <typename T>
STAGECRAFT_ANYWHERE inline T WithDecay(T g, T decay, T weight) {
  return g + decay * weight;
}

/// SGD's velocity: v = keep * v + add * g. (keep, add) is (momentum, 1 - dampening), or (0, 1) in
/// the first step.
template <typename T>
STAGECRAFT_ANYWHERE inline T Velocity(T v, T g, T keep, T add) {
  return keep * v + add * g;
}

/// Nesterov's direction, given the new velocity.
template <typename T>
STAGECRAFT_ANYWHERE inline T NesterovDirection(T g, T momentum, T v) {
  return g + momentum * v;
}

/// Adam's moments: m = m + (1 - beta1) (g - m), v = beta2 v + (1 - beta2) g^2.
template <typename T>
STAGECRAFT_ANYWHERE inline T FirstMoment(T m, T g, T one_minus_beta1) {
  return m + one_minus_beta1 * (g - m);
}
template <typename T>
STAGECRAFT_ANYWHERE inline T SecondMoment(T v, T g, T beta2, T one_minus_beta2) {
  return beta2 * v + one_minus_beta2 * (g * g);
}

/// Adam's direction (m / c1) / (sqrt(v) / sqrt(c2) + epsilon), given 1 / c1 and sqrt(c2).
template <typename T>
STAGECRAFT_ANYWHERE inline T AdamDirection(T m, T v, T inverse_c1, T root_c2, T epsilon) {
  return (m * inverse_c1) / (std::sqrt(v) / root_c2 + epsilon);
}

/// Where a step, or a prediction, leads.
template <typename T>
STAGECRAFT_ANYWHERE inline T Moved(T keep, T weight, T rate, T direction) {
  return keep * weight - rate * direction;
}

/// Moving average of what steps change.
template <typename T>
STAGECRAFT_ANYWHERE inline T AverageDifference(T decay, T average, T updated, T old) {
  return decay * average + (1 - decay) * (updated - old);
}

}  // namespace stagecraft
