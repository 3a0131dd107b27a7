#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/optimizer/optimizer.h"
#include "engine/optimizer/optimizer_kernels.h"

/// Updates and predictions over flat buffers in a GPU's memory: each one pass, on `stream`, a
/// cudaStream_t of the current GPU. The same bits as optimizer_kernels.h, from the same formulas,
/// but for the norm of clipped gradients, which is added up in another order. T is float or double.
/// All throw `Error` if the kernel cannot be started.
namespace stagecraft::cuda {

/// A step, with the factor of its clipping in the GPU's memory unless that is null, and perhaps the
/// prediction from its outcome.
struct StepCall {
  StepNumbers numbers;
  const double* clip = nullptr;
  const PredictNumbers* prediction = nullptr;
};

/// Does what `Step` or, with a prediction, `StepAndPredict` of main memory do. Destinations may be
/// the source.
template <typename T>
void Step(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers, const StepCall& call,
          const StepTargets<T>& targets, void* stream);

template <typename T>
struct PredictTargets {
  const T* from = nullptr;
  T* to = nullptr;
};
template <typename T>
void Predict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
             const PredictNumbers& prediction, const PredictTargets<T>& targets, void* stream);

/// How many numbers `ClipFactor` needs behind its result.
inline constexpr std::size_t kClipWorkspace = 1024;

/// Writes min(1, clip_norm / (norm + 1e-6)) to numbers[0], norm being that of the gradient's mean
/// over `count` micro-batches. The same bits each time, on every GPU. `numbers` has 1 +
/// kClipWorkspace.
template <typename T>
void ClipFactor(const OptimizerBuffers<T>& buffers, double count, double clip_norm, double* numbers,
                void* stream);

/// sum[i] = gathered[0][i] + gathered[1][i] + ..., added up in double in this order, `members`
/// times `elements` values; `sum` is apart from `gathered`.
template <typename T>
void SumInOrder(const T* gathered, std::int32_t members, std::int64_t elements, T* sum,
                void* stream);

}  // namespace stagecraft::cuda
