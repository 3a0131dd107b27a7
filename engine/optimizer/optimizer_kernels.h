#pragma once

#include <cstdint>

#include "engine/optimizer/optimizer.h"

namespace stagecraft {

/// The flat buffers of one stage that an update touches, each of `elements`; those that an
/// optimizer does not need are null. T is float or double.
template <typename T>
struct OptimizerBuffers {
  std::int64_t elements = 0;
  T* gradient = nullptr;    ///< The sum; cleared by a step.
  T* velocity = nullptr;    ///< SGD with momentum.
  T* moment1 = nullptr;     ///< Adam.
  T* moment2 = nullptr;     ///< Adam.
  T* last = nullptr;        ///< Gradient of the last step: mean, clipped, with decay.
  T* difference = nullptr;  ///< Moving average of what steps change: for horizons below 0.
  /// One number: the first update whose gradient was not finite, which a step lowers. May be null.
  std::int64_t* first_not_finite = nullptr;
};

/// Lowers `first`, unless it is null, to `update`.
inline void NoteNotFinite(std::int64_t* first, std::int64_t update) {
  if (first != nullptr && update < *first) {
    *first = update;
  }
}

/// One update: `to` becomes `from` after a step; they may be the same.
struct StepNumbers {
  std::int64_t updates = 0;  ///< Made before this one.
  double count = 1;          ///< Micro-batches in the sum; larger ones count for more than one.
  double rate = 0;
  double clip = 1;  ///< What the gradient's mean is multiplied with.
  double difference_decay = 0;
};

/// One prediction: `to` becomes `from` + horizon * what an update changes.
struct PredictNumbers {
  std::int64_t updates = 0;  ///< Made so far: those whose outcome is `from`.
  std::int64_t horizon = 0;
  double rate = 0;  ///< Of the next update.
};

// All make one pass over the memory. Each gives the same bits whether or not destination and source
// are the same, and `StepAndPredict` those of the other two, one after the other.

template <typename T>
void Step(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
          const StepNumbers& step, const T* from, T* to);

template <typename T>
void Predict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
             const PredictNumbers& prediction, const T* from, T* to);

/// The prediction is made from the outcome of the step.
template <typename T>
struct StepTargets {
  const T* from = nullptr;
  T* to = nullptr;
  T* predicted = nullptr;
};
template <typename T>
void StepAndPredict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
                    const StepNumbers& step, const PredictNumbers& prediction,
                    const StepTargets<T>& targets);

/// Euclidean length of the gradient's mean, in double. O(elements).
template <typename T>
double GradientNorm(const OptimizerBuffers<T>& buffers, double count);

}  // namespace stagecraft
