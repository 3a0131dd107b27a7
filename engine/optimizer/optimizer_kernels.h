#pragma once

#include <cstdint>

#include "engine/optimizer/optimizer.h"

namespace stagecraft {

/// The flat buffers of one stage that an update touches, each of `elements`; those that an
/// optimizer does not keep are null. T is float or double.
template <typename T>
struct OptimizerBuffers {
  std::int64_t elements = 0;
  T* gradient = nullptr;  ///< The sum; cleared by a step.
  T* velocity = nullptr;
  T* moment1 = nullptr;
  T* moment2 = nullptr;
  T* last = nullptr;
  T* difference = nullptr;
  /// One number: the first update whose gradient was not finite, which a step lowers. May be null.
  std::int64_t* first_not_finite = nullptr;

  T*& operator[](OptimizerBuffer buffer) {
    switch (buffer) {
      case OptimizerBuffer::kVelocity:
        return velocity;
      case OptimizerBuffer::kMoment1:
        return moment1;
      case OptimizerBuffer::kMoment2:
        return moment2;
      case OptimizerBuffer::kLast:
        return last;
      default:
        return difference;
    }
  }
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
  double clip = 1;  ///< Factor of the gradient's mean, to shorten it.
  double difference_decay = 0;
};

/// One prediction: `to` becomes `from` + horizon * what an update changes.
struct PredictNumbers {
  std::int64_t updates = 0;  ///< Made so far: `from` is their outcome.
  std::int64_t horizon = 0;
  double rate = 0;  ///< Of the next update.
};

// Each function makes one pass over the memory, and gives the same bits whether or not destination
// and source are the same. `StepAndPredict` gives the bits of `Step` and then `Predict`.

template <typename T>
void Step(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
          const StepNumbers& step, const T* from, T* to);

template <typename T>
void Predict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
             const PredictNumbers& prediction, const T* from, T* to);

/// Where a step begins and what it writes. The prediction is made from the outcome of the step.
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
