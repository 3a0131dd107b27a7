#include <algorithm>
#include <cuda_runtime.h>
#include <initializer_list>
#include <string>

#include "engine/cuda/device_kernels.h"
#include "engine/optimizer/optimizer_element.h"
#include "schedules/diagnostic.h"

// A thread takes 16 bytes of each buffer, which is what the memory gives at once, holds them in
// registers from load to store, and is done: there are as many threads as there are such packs.
// Buffers that an update does not have are null, which all threads see alike.

namespace stagecraft::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::size_t kPackBytes = 16;

template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
  T values[N];
};

/// All buffers of an update, for a kernel.
template <typename T>
struct Pointers {
  OptimizerBuffers<T> buffers;
  const T* from = nullptr;
  T* to = nullptr;         ///< Null if there is no step.
  T* predicted = nullptr;  ///< Null if there is no prediction.
};

template <typename T>
struct Rules {
  StepRule<T> step;
  PredictRule<T> prediction;
  const double* clip = nullptr;
  std::int64_t update = 0;  ///< Number of the step.
};

template <int N, typename T>
__device__ Pack<T, N> Load(const T* buffer, std::int64_t at) {
  return buffer == nullptr ? Pack<T, N>{} : *reinterpret_cast<const Pack<T, N>*>(buffer + at);
}

template <int N, typename T>
__device__ void Store(T* buffer, std::int64_t at, const Pack<T, N>& pack) {
  if (buffer != nullptr) {
    *reinterpret_cast<Pack<T, N>*>(buffer + at) = pack;
  }
}

/// N elements from `at` on. Whether their gradient was finite.
template <int N, typename T>
__device__ bool Update(const Rules<T>& rules, const Pointers<T>& memory, T clip, std::int64_t at) {
  const OptimizerBuffers<T>& buffers = memory.buffers;
  const bool steps = memory.to != nullptr;
  Pack<T, N> weight = Load<N>(memory.from, at);
  Pack<T, N> gradient = Load<N>(steps ? buffers.gradient : nullptr, at);
  Pack<T, N> velocity = Load<N>(buffers.velocity, at);
  Pack<T, N> moment1 = Load<N>(buffers.moment1, at);
  Pack<T, N> moment2 = Load<N>(buffers.moment2, at);
  Pack<T, N> last = Load<N>(steps ? nullptr : buffers.last, at);
  Pack<T, N> difference = Load<N>(buffers.difference, at);
  Pack<T, N> predicted{};

  bool is_finite = true;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    OptimizerElement<T> element;
    element.weight = weight.values[i];
    element.gradient = gradient.values[i];
    element.velocity = velocity.values[i];
    element.moment1 = moment1.values[i];
    element.moment2 = moment2.values[i];
    element.last = last.values[i];
    element.difference = difference.values[i];

    if (steps) {
      is_finite = is_finite && IsFiniteNumber(element.gradient);
      StepElement(rules.step, clip, element);
      element.weight = element.updated;
    }
    if (memory.predicted != nullptr) {
      PredictElement(rules.prediction, element);
    }

    weight.values[i] = element.weight;
    gradient.values[i] = element.gradient;
    velocity.values[i] = element.velocity;
    moment1.values[i] = element.moment1;
    moment2.values[i] = element.moment2;
    last.values[i] = element.last;
    difference.values[i] = element.difference;
    predicted.values[i] = element.predicted;
  }

  if (steps) {
    Store<N>(memory.to, at, weight);
    Store<N>(buffers.gradient, at, gradient);
    Store<N>(buffers.velocity, at, velocity);
    Store<N>(buffers.moment1, at, moment1);
    Store<N>(buffers.moment2, at, moment2);
    Store<N>(buffers.last, at, last);
    Store<N>(buffers.difference, at, difference);
  }
  Store<N>(memory.predicted, at, predicted);
  return is_finite;
}

/// Few threads see such a gradient in a training that goes well, and after the first has written,
/// the others of the same update only read.
__device__ void NoteNotFiniteHere(std::int64_t* first, std::int64_t update) {
  static_assert(sizeof(long long) == sizeof(std::int64_t));
  if (first != nullptr && *static_cast<volatile std::int64_t*>(first) > update) {
    atomicMin(reinterpret_cast<long long*>(first), static_cast<long long>(update));
  }
}

template <int N, typename T>
__global__ void __launch_bounds__(kThreads) UpdateAll(Rules<T> rules, Pointers<T> memory) {
  const T clip = rules.clip == nullptr ? rules.step.clip : static_cast<T>(*rules.clip);
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t elements = memory.buffers.elements;
  const std::int64_t packs = elements / N;

  // The norm of a gradient may be too large for a double where the gradient is not.
  bool is_finite = rules.clip == nullptr || *rules.clip > 0;
  if (thread < packs) {
    is_finite = Update<N>(rules, memory, clip, thread * N) && is_finite;
  }
  if (thread < elements % N) {  // What does not fill a pack.
    is_finite = Update<1>(rules, memory, clip, packs * N + thread) && is_finite;
  }

  if (!is_finite) {
    NoteNotFiniteHere(memory.buffers.first_not_finite, rules.update);
  }
}

__device__ void AddUpBlock(double* sums) {
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      sums[threadIdx.x] += sums[threadIdx.x + half];
    }
  }
}

/// Of each block into `partial`. Which thread adds up what depends on the number of elements only,
/// so that the bits are the same each time and on every GPU.
template <int N, typename T>
__global__ void __launch_bounds__(kThreads)
    AddUpSquares(const T* gradient, std::int64_t elements, double* partial) {
  __shared__ double sums[kThreads];
  double sum = 0;
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * kThreads;
  const std::int64_t packs = elements / N;

  for (std::int64_t i = thread; i < packs; i += threads) {
    const Pack<T, N> pack = Load<N>(gradient, i * N);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const auto value = static_cast<double>(pack.values[j]);
      sum += value * value;
    }
  }
  if (thread < elements % N) {  // What does not fill a pack.
    const auto value = static_cast<double>(gradient[packs * N + thread]);
    sum += value * value;
  }

  sums[threadIdx.x] = sum;
  AddUpBlock(sums);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sums[0];
  }
}

__global__ void FinishClip(const double* partial, double count, double clip_norm, double* factor) {
  constexpr double kEpsilon = 1e-6;  // torch.nn.utils.clip_grad_norm_'s.
  __shared__ double sums[kThreads];
  double sum = 0;
  for (std::size_t i = threadIdx.x; i < kClipWorkspace; i += kThreads) {
    sum += partial[i];
  }
  sums[threadIdx.x] = sum;
  AddUpBlock(sums);
  if (threadIdx.x == 0) {
    *factor = fmin(1.0, clip_norm / (sqrt(sums[0]) / count + kEpsilon));
  }
}

template <typename T>
__global__ void SumAll(const T* gathered, std::int32_t members, std::int64_t elements, T* sum) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= elements) {
    return;
  }
  auto total = static_cast<double>(gathered[i]);
  for (std::int32_t member = 1; member < members; ++member) {
    total += static_cast<double>(gathered[member * elements + i]);
  }
  sum[i] = static_cast<T>(total);
}

unsigned BlocksFor(std::int64_t threads) {
  return static_cast<unsigned>(std::max<std::int64_t>((threads + kThreads - 1) / kThreads, 1));
}

void CheckLaunch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) {
    throw Error(std::string(kernel) + " was not started: " + cudaGetErrorString(status));
  }
}

bool AreAligned(std::initializer_list<const void*> buffers) {
  return std::all_of(buffers.begin(), buffers.end(), [](const void* buffer) {
    return reinterpret_cast<std::uintptr_t>(buffer) % kPackBytes == 0;
  });
}

template <typename T>
void Launch(const Rules<T>& rules, const Pointers<T>& memory, void* stream) {
  constexpr int kPack = kPackBytes / sizeof(T);
  const OptimizerBuffers<T>& buffers = memory.buffers;
  if (buffers.elements == 0) {
    return;
  }
  auto* const on = static_cast<cudaStream_t>(stream);
  if (AreAligned({buffers.gradient, buffers.velocity, buffers.moment1, buffers.moment2,
                  buffers.last, buffers.difference, memory.from, memory.to, memory.predicted})) {
    UpdateAll<kPack><<<BlocksFor(buffers.elements / kPack + 1), kThreads, 0, on>>>(rules, memory);
  } else {
    UpdateAll<1><<<BlocksFor(buffers.elements), kThreads, 0, on>>>(rules, memory);
  }
  CheckLaunch("an update of weights");
}

}  // namespace

template <typename T>
void Step(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers, const StepCall& call,
          const StepTargets<T>& targets, void* stream) {
  Rules<T> rules{StepRule<T>(options, call.numbers), {}, call.clip, call.numbers.updates};
  if (call.prediction != nullptr) {
    rules.prediction = PredictRule<T>(options, *call.prediction, call.numbers);
  }
  Launch<T>(
      rules,
      {buffers, targets.from, targets.to, call.prediction != nullptr ? targets.predicted : nullptr},
      stream);
}

template <typename T>
void Predict(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
             const PredictNumbers& prediction, const PredictTargets<T>& targets, void* stream) {
  Launch<T>({StepRule<T>(), PredictRule<T>(options, prediction), nullptr},
            {buffers, targets.from, nullptr, targets.to}, stream);
}

template <typename T>
void ClipFactor(const OptimizerBuffers<T>& buffers, double count, double clip_norm,
                double* numbers, void* stream) {
  auto* const on = static_cast<cudaStream_t>(stream);
  constexpr int kPack = kPackBytes / sizeof(T);
  if (AreAligned({buffers.gradient})) {
    AddUpSquares<kPack><<<kClipWorkspace, kThreads, 0, on>>>(buffers.gradient, buffers.elements,
                                                             numbers + 1);
  } else {
    AddUpSquares<1><<<kClipWorkspace, kThreads, 0, on>>>(buffers.gradient, buffers.elements,
                                                         numbers + 1);
  }
  FinishClip<<<1, kThreads, 0, on>>>(numbers + 1, count, clip_norm, numbers);
  CheckLaunch("the norm of a gradient");
}

template <typename T>
void SumInOrder(const T* gathered, std::int32_t members, std::int64_t elements, T* sum,
                void* stream) {
  if (elements > 0) {
    SumAll<<<BlocksFor(elements), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
        gathered, members, elements, sum);
    CheckLaunch("the sum of gradients");
  }
}

template void Step(const OptimizerOptions&, const OptimizerBuffers<float>&, const StepCall&,
                   const StepTargets<float>&, void*);
template void Step(const OptimizerOptions&, const OptimizerBuffers<double>&, const StepCall&,
                   const StepTargets<double>&, void*);
template void Predict(const OptimizerOptions&, const OptimizerBuffers<float>&,
                      const PredictNumbers&, const PredictTargets<float>&, void*);
template void Predict(const OptimizerOptions&, const OptimizerBuffers<double>&,
                      const PredictNumbers&, const PredictTargets<double>&, void*);
template void ClipFactor(const OptimizerBuffers<float>&, double, double, double*, void*);
template void ClipFactor(const OptimizerBuffers<double>&, double, double, double*, void*);
template void SumInOrder(const float*, std::int32_t, std::int64_t, float*, void*);
template void SumInOrder(const double*, std::int32_t, std::int64_t, double*, void*);

}  // namespace stagecraft::cuda
