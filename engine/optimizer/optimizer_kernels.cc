#include "engine/optimizer/optimizer_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "engine/optimizer/optimizer_element.h"

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
bool TakeGradient(const StepRule<T>& rule, const OptimizerBuffers<T>& at, const T* weight,
                  T* gradient) {
  const T count = rule.count;
  const T clip = rule.clip;
  const T decay = rule.decay;
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

/// What steps along `kDirection` keep of element `i`.
template <Direction kDirection, typename T>
OptimizerElement<T> LoadKept(const OptimizerBuffers<T>& at, std::int64_t i) {
  OptimizerElement<T> element;
  if constexpr (Keeps(kDirection, OptimizerBuffer::kVelocity)) {
    element.velocity = at.velocity[i];
  }
  if constexpr (Keeps(kDirection, OptimizerBuffer::kMoment1)) {
    element.moment1 = at.moment1[i];
  }
  if constexpr (Keeps(kDirection, OptimizerBuffer::kMoment2)) {
    element.moment2 = at.moment2[i];
  }
  return element;
}

template <Direction kDirection, typename T>
void StoreKept(const OptimizerElement<T>& element, const OptimizerBuffers<T>& at, std::int64_t i) {
  if constexpr (Keeps(kDirection, OptimizerBuffer::kVelocity)) {
    at.velocity[i] = element.velocity;
  }
  if constexpr (Keeps(kDirection, OptimizerBuffer::kMoment1)) {
    at.moment1[i] = element.moment1;
  }
  if constexpr (Keeps(kDirection, OptimizerBuffer::kMoment2)) {
    at.moment2[i] = element.moment2;
  }
}

/// The direction of a step along `gradient`. The loop works on copies of the rule and the pointers,
/// which no store can change: else it would not be vectorised.
template <Direction kDirection, typename T>
void DirectionsOfStep(StepRule<T> rule, OptimizerBuffers<T> at, const T* gradient, T* direction) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < at.elements; ++i) {
    OptimizerElement<T> element = LoadKept<kDirection>(at, i);
    element.last = gradient[i];
    direction[i] = DirectionOfStep<kDirection>(rule, element);
    StoreKept<kDirection>(element, at, i);
  }
}

/// The direction of the step that a prediction repeats.
template <Direction kDirection, bool kNext, typename T>
void DirectionsOfPrediction(PredictRule<T> rule, OptimizerBuffers<T> at, T* direction) {
  constexpr bool kWantsLast = kNext || kDirection == Direction::kGradient;
#pragma GCC ivdep
  for (std::int64_t i = 0; i < at.elements; ++i) {
    OptimizerElement<T> element = LoadKept<kDirection>(at, i);
    if constexpr (kWantsLast) {
      element.last = at.last[i];
    }
    direction[i] = DirectionOfPrediction<kDirection, kNext>(rule, element);
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
void StepBlock(const StepRule<T>& rule, const OptimizerBuffers<T>& at, std::int64_t updates,
               const StepTargets<T>& targets, Scratch<T>& scratch) {
  if (!TakeGradient(rule, at, targets.from, scratch.gradient)) {
    NoteNotFinite(at.first_not_finite, updates);
  }
  if (at.last != nullptr) {
    std::copy_n(scratch.gradient, at.elements, at.last);
  }
  WithDirection(rule.direction, [&](auto direction) {
    DirectionsOfStep<decltype(direction)::value>(rule, at, scratch.gradient, scratch.direction);
  });

  const Move<T> move{targets.from, targets.to, scratch.direction,
                     rule.keep,    rule.rate,  at.elements};
  if (at.difference == nullptr) {
    Apply(move);
  } else {
    ApplyAndWatch(move, at.difference, rule.difference_decay);
  }
}

/// `scratch` holds the direction of a step if the prediction repeats that.
template <typename T>
void PredictBlock(const PredictRule<T>& rule, const OptimizerBuffers<T>& at, const T* from, T* to,
                  Scratch<T>& scratch) {
  using Kind = typename PredictRule<T>::Kind;
  if (rule.kind == Kind::kSame) {
    std::copy_n(from, at.elements, to);
    return;
  }
  if (rule.kind == Kind::kDifference) {
    Apply<T>({from, to, at.difference, rule.keep, rule.rate, at.elements});
    return;
  }

  if (!rule.repeats) {
    WithDirection(rule.direction, [&](auto direction) {
      constexpr Direction kDirection = decltype(direction)::value;
      if (rule.next) {
        DirectionsOfPrediction<kDirection, true>(rule, at, scratch.direction);
      } else {
        DirectionsOfPrediction<kDirection, false>(rule, at, scratch.direction);
      }
    });
  }
  Apply<T>({from, to, scratch.direction, rule.keep, rule.rate, at.elements});
}

}  // namespace

template <typename T>
void Step(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
          const StepNumbers& step, const T* from, T* to) {
  const StepRule<T> rule(options, step);
  Scratch<T> scratch;
  for (std::int64_t begin = 0; begin < buffers.elements; begin += kBlock) {
    StepBlock<T>(rule, BlockOf(buffers, begin), step.updates, {from + begin, to + begin, nullptr},
                 scratch);
  }
}

template <typename T>
void Predict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
             const PredictNumbers& prediction, const T* from, T* to) {
  const PredictRule<T> rule(options, prediction);
  Scratch<T> scratch;
  for (std::int64_t begin = 0; begin < buffers.elements; begin += kBlock) {
    PredictBlock(rule, BlockOf(buffers, begin), from + begin, to + begin, scratch);
  }
}

template <typename T>
void StepAndPredict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
                    const StepNumbers& step, const PredictNumbers& prediction,
                    const StepTargets<T>& targets) {
  const StepRule<T> step_rule(options, step);
  const PredictRule<T> predict_rule(options, prediction, step);
  Scratch<T> scratch;
  for (std::int64_t begin = 0; begin < buffers.elements; begin += kBlock) {
    const OptimizerBuffers<T> at = BlockOf(buffers, begin);
    StepBlock<T>(step_rule, at, step.updates, {targets.from + begin, targets.to + begin, nullptr},
                 scratch);
    PredictBlock<T>(predict_rule, at, targets.to + begin, targets.predicted + begin, scratch);
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
