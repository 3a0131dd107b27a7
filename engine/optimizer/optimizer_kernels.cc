#include "engine/optimizer/optimizer_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "engine/optimizer/optimizer_math.h"
#include "engine/optimizer/optimizer_rule.h"

// Compiled with -O3 -fno-math-errno, without which square roots are not vectorised, and
// -ffp-contract=off: see engine/CMakeLists.txt.
//
// Everything goes block by block through memory, and several times through a block, which stays in
// the first-level cache: simple loops, one pass over the memory. Loops may write where they read,
// at the same index only: "ivdep" says so to the compiler.

namespace stagecraft {
namespace {

/// Up to nine buffers are walked at once. They begin at the same place of a page, so that larger
/// blocks of them would push each other out of a first-level cache.
constexpr std::int64_t kBlock = 256;

template <typename T>
struct Scratch {
  alignas(64) T gradient[kBlock];
  alignas(64) T direction[kBlock];
};

template <typename T>
using BitsOf = std::conditional_t<sizeof(T) == sizeof(std::int32_t), std::int32_t, std::int64_t>;

/// 0 if `x` is finite: x - x is +0 then, and else a NaN. Bits of several may be joined by |, which
/// is vectorised for float and double alike, as comparisons are not.
template <typename T>
BitsOf<T> BitsUnlessFinite(T x) {
  return std::bit_cast<BitsOf<T>>(x - x);
}

/// The mean, clipped, and with the decay that goes into the gradient; clears the sum. Whether all
/// of it was finite.
template <typename T>
bool TakeGradient(const OptimizerOptions& options, const OptimizerBuffers<T>& at,
                  const StepNumbers& step, const T* weight, T* gradient) {
  const auto count = static_cast<T>(step.count);
  const auto clip = static_cast<T>(step.clip);
  const auto decay =
      static_cast<T>(options.kind == OptimizerKind::kAdamW ? 0.0 : options.weight_decay);
  T* const sum = at.gradient;
  BitsOf<T> bad = 0;
  if (decay == 0) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < at.elements; ++i) {
      bad |= BitsUnlessFinite(sum[i]);
      gradient[i] = MeanGradient(sum[i], count, clip);
      sum[i] = 0;
    }
    return bad == 0;
  }
#pragma GCC ivdep
  for (std::int64_t i = 0; i < at.elements; ++i) {
    bad |= BitsUnlessFinite(sum[i]);
    gradient[i] = WithDecay(MeanGradient(sum[i], count, clip), decay, weight[i]);
    sum[i] = 0;
  }
  return bad == 0;
}

/// Updates the velocity, if there is one, and gives the direction of the step.
template <typename T>
void StepVelocity(const OptimizerOptions& options, const OptimizerBuffers<T>& at,
                  std::int64_t updates, const T* gradient, T* direction) {
  T* const velocity = at.velocity;
  if (velocity == nullptr) {
    std::copy_n(gradient, at.elements, direction);
    return;
  }
  const auto keep = static_cast<T>(updates == 0 ? 0 : options.momentum);
  const auto add = static_cast<T>(updates == 0 ? 1 : 1 - options.dampening);
  const auto momentum = static_cast<T>(options.momentum);
  if (options.nesterov) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < at.elements; ++i) {
      velocity[i] = Velocity(velocity[i], gradient[i], keep, add);
      direction[i] = NesterovDirection(gradient[i], momentum, velocity[i]);
    }
    return;
  }
#pragma GCC ivdep
  for (std::int64_t i = 0; i < at.elements; ++i) {
    velocity[i] = Velocity(velocity[i], gradient[i], keep, add);
    direction[i] = velocity[i];
  }
}

template <typename T>
void StepMoments(const AdamNumbers<T>& adam, const OptimizerBuffers<T>& at, const T* gradient,
                 T* direction) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < at.elements; ++i) {
    const T m = FirstMoment(at.moment1[i], gradient[i], adam.add1);
    const T v = SecondMoment(at.moment2[i], gradient[i], adam.keep2, adam.add2);
    at.moment1[i] = m;
    at.moment2[i] = v;
    direction[i] = AdamDirection(m, v, adam.inverse_c1, adam.root_c2, adam.epsilon);
  }
}

/// to = keep * from - rate * direction.
template <typename T>
struct Move {
  const T* from = nullptr;
  T* to = nullptr;
  const T* direction = nullptr;
  T keep = 1;
  T rate = 0;
  std::int64_t size = 0;
};

template <typename T>
void Apply(const Move<T>& move) {
  const auto [from, to, direction, keep, rate, size] = move;
#pragma GCC ivdep
  for (std::int64_t i = 0; i < size; ++i) {
    to[i] = Moved(keep, from[i], rate, direction[i]);
  }
}

/// The same, and what it changes goes into the moving average.
template <typename T>
void ApplyAndWatch(const Move<T>& move, T* difference, T decay) {
  const auto [from, to, direction, keep, rate, size] = move;
#pragma GCC ivdep
  for (std::int64_t i = 0; i < size; ++i) {
    const T old = from[i];
    const T updated = Moved(keep, old, rate, direction[i]);
    difference[i] = AverageDifference(decay, difference[i], updated, old);
    to[i] = updated;
  }
}

/// `buffers` from element `begin` on, at most a block.
template <typename T>
OptimizerBuffers<T> BlockOf(const OptimizerBuffers<T>& buffers, std::int64_t begin) {
  const auto moved = [begin](T* pointer) { return pointer == nullptr ? nullptr : pointer + begin; };
  return {std::min(kBlock, buffers.elements - begin),
          moved(buffers.gradient),
          moved(buffers.velocity),
          moved(buffers.moment1),
          moved(buffers.moment2),
          moved(buffers.last),
          moved(buffers.difference),
          buffers.first_not_finite};
}

/// Leaves the direction of the step in `scratch`.
template <typename T>
void StepBlock(const OptimizerOptions& options, const OptimizerBuffers<T>& at,
               const StepNumbers& step, const StepTargets<T>& targets, Scratch<T>& scratch) {
  const T* const from = targets.from;
  T* const to = targets.to;
  if (!TakeGradient(options, at, step, from, scratch.gradient)) {
    NoteNotFinite(at.first_not_finite, step.updates);
  }
  if (at.last != nullptr) {
    std::copy_n(scratch.gradient, at.elements, at.last);
  }
  double keep = 1;
  if (options.kind == OptimizerKind::kSgd) {
    StepVelocity(options, at, step.updates, scratch.gradient, scratch.direction);
  } else {
    StepMoments(AdamNumbers<T>(options, step.updates + 1, false), at, scratch.gradient,
                scratch.direction);
    keep = options.kind == OptimizerKind::kAdamW ? 1 - step.rate * options.weight_decay : 1;
  }
  const Move<T> move{
      from, to, scratch.direction, static_cast<T>(keep), static_cast<T>(step.rate), at.elements};
  if (at.difference == nullptr) {
    Apply(move);
  } else {
    ApplyAndWatch(move, at.difference, static_cast<T>(step.difference_decay));
  }
}

/// The direction of the step that a prediction repeats.
template <typename T>
void PredictedDirection(const OptimizerOptions& options, const OptimizerBuffers<T>& at,
                        std::int64_t updates, T* direction) {
  const bool next = options.displacement == Displacement::kNext;
  if (options.kind == OptimizerKind::kSgd) {
    if (at.velocity == nullptr || !next) {
      std::copy_n(at.velocity == nullptr ? at.last : at.velocity, at.elements, direction);
      return;
    }
    const auto keep = static_cast<T>(options.momentum);
    const auto add = static_cast<T>(1 - options.dampening);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < at.elements; ++i) {
      direction[i] = Velocity(at.velocity[i], at.last[i], keep, add);
    }
    return;
  }
  const AdamNumbers<T> adam(options, next ? updates + 1 : updates, options.constant_correction);
  if (!next) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < at.elements; ++i) {
      direction[i] =
          AdamDirection(at.moment1[i], at.moment2[i], adam.inverse_c1, adam.root_c2, adam.epsilon);
    }
    return;
  }
#pragma GCC ivdep
  for (std::int64_t i = 0; i < at.elements; ++i) {
    direction[i] = AdamDirection(FirstMoment(at.moment1[i], at.last[i], adam.add1),
                                 SecondMoment(at.moment2[i], at.last[i], adam.keep2, adam.add2),
                                 adam.inverse_c1, adam.root_c2, adam.epsilon);
  }
}

/// `horizon` times the direction from `from` on.
template <typename T>
void Repeat(const OptimizerOptions& options, const PredictNumbers& prediction, Move<T> move) {
  const double far = prediction.rate * static_cast<double>(prediction.horizon);
  const double decay = options.prediction_decay ? options.weight_decay : 0;
  move.keep = static_cast<T>(1 - far * decay);
  move.rate = static_cast<T>(far);
  Apply(move);
}

template <typename T>
void PredictBlock(const OptimizerOptions& options, const OptimizerBuffers<T>& at,
                  const PredictNumbers& prediction, const T* from, T* to) {
  if (prediction.updates == 0) {
    std::copy_n(from, at.elements, to);
    return;
  }
  if (prediction.horizon < 0) {
    Apply<T>({from, to, at.difference, T{1}, static_cast<T>(-prediction.horizon), at.elements});
    return;
  }
  Scratch<T> scratch;
  PredictedDirection(options, at, prediction.updates, scratch.direction);
  Repeat<T>(options, prediction,
            {.from = from, .to = to, .direction = scratch.direction, .size = at.elements});
}

}  // namespace

template <typename T>
void Step(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
          const StepNumbers& step, const T* from, T* to) {
  for (std::int64_t begin = 0; begin < buffers.elements; begin += kBlock) {
    Scratch<T> scratch;
    StepBlock<T>(options, BlockOf(buffers, begin), step, {from + begin, to + begin, nullptr},
                 scratch);
  }
}

template <typename T>
void Predict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
             const PredictNumbers& prediction, const T* from, T* to) {
  for (std::int64_t begin = 0; begin < buffers.elements; begin += kBlock) {
    PredictBlock(options, BlockOf(buffers, begin), prediction, from + begin, to + begin);
  }
}

template <typename T>
void StepAndPredict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
                    const StepNumbers& step, const PredictNumbers& prediction,
                    const StepTargets<T>& targets) {
  for (std::int64_t begin = 0; begin < buffers.elements; begin += kBlock) {
    const OptimizerBuffers<T> at = BlockOf(buffers, begin);
    const T* const updated = targets.to + begin;
    Scratch<T> scratch;
    StepBlock<T>(options, at, step, {targets.from + begin, targets.to + begin, nullptr}, scratch);
    if (RepeatsStep(options, step, prediction)) {
      Repeat<T>(options, prediction,
                {.from = updated,
                 .to = targets.predicted + begin,
                 .direction = scratch.direction,
                 .size = at.elements});
    } else {
      PredictBlock(options, at, prediction, updated, targets.predicted + begin);
    }
  }
}

template <typename T>
double GradientNorm(const OptimizerBuffers<T>& buffers, double count) {
  double sum = 0;
  for (std::int64_t i = 0; i < buffers.elements; ++i) {
    const double mean = static_cast<double>(buffers.gradient[i]) / count;
    sum += mean * mean;
  }
  return std::sqrt(sum);
}

template void Step(const OptimizerOptions&, const OptimizerBuffers<float>&, const StepNumbers&,
                   const float*, float*);
template void Step(const OptimizerOptions&, const OptimizerBuffers<double>&, const StepNumbers&,
                   const double*, double*);
template void Predict(const OptimizerOptions&, const OptimizerBuffers<float>&,
                      const PredictNumbers&, const float*, float*);
template void Predict(const OptimizerOptions&, const OptimizerBuffers<double>&,
                      const PredictNumbers&, const double*, double*);
template void StepAndPredict(const OptimizerOptions&, const OptimizerBuffers<float>&,
                             const StepNumbers&, const PredictNumbers&, const StepTargets<float>&);
template void StepAndPredict(const OptimizerOptions&, const OptimizerBuffers<double>&,
                             const StepNumbers&, const PredictNumbers&, const StepTargets<double>&);
template double GradientNorm(const OptimizerBuffers<float>&, double);
template double GradientNorm(const OptimizerBuffers<double>&, double);

}  // namespace stagecraft
