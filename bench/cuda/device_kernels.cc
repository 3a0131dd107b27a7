// Updates and predictions on a GPU, as a share of what copying within its memory reaches in the
// same run; bytes count each array that is read or written once. Without a GPU it says so.

#include "engine/cuda/device_kernels.h"

#include <algorithm>
#include <cstdint>
#include <cuda_runtime_api.h>
#include <stdexcept>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/cuda/gpu_timing.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kElements = 100'000'000;
constexpr std::size_t kBytes = kElements * sizeof(float);

/// Each float of memory that is filled with this byte is 0.747 (0x3f3f3f3f).
constexpr int kFill = 0x3f;

/// Floats on the GPU, all 0.747: zeros would be timed on another path, since a square root or a
/// quotient of a number that is 0 or tiny calls a slow routine.
class GpuFloats {
 public:
  GpuFloats() {
    if (cudaMalloc(&memory_, kBytes) != cudaSuccess) {
      throw std::runtime_error("no memory on the GPU");
    }
    Refill();
  }
  ~GpuFloats() { cudaFree(memory_); }
  GpuFloats(const GpuFloats&) = delete;
  GpuFloats& operator=(const GpuFloats&) = delete;
  void Refill() const { cudaMemsetAsync(memory_, kFill, kBytes, nullptr); }
  float* Get() const { return static_cast<float*>(memory_); }

 private:
  void* memory_ = nullptr;
};

/// Bytes per second of the best of some copies.
double CopyBandwidth() {
  const GpuFloats from;
  const GpuFloats to;
  double best = 1;
  for (int i = 0; i < 10; ++i) {
    best =
        std::min(best, SecondsOnGpu([&] {
                   cudaMemcpyAsync(to.Get(), from.Get(), kBytes, cudaMemcpyDeviceToDevice, nullptr);
                 }));
  }
  return 2.0 * kBytes / best;
}

enum class Target { kInPlace, kOtherSlot, kWithPrediction, kPredictionOnly };

void Update(benchmark::State& state, OptimizerKind kind, Target target) {
  if (!HasGpu(state)) {
    return;
  }
  const double copy = CopyBandwidth();
  OptimizerOptions options;
  options.kind = kind;
  const bool is_sgd = kind == OptimizerKind::kSgd;
  options.momentum = is_sgd ? 0.9 : 0;
  const GpuFloats weights, other, predicted, gradient, first, second;
  const OptimizerBuffers<float> buffers{kElements,
                                        gradient.Get(),
                                        is_sgd ? first.Get() : nullptr,
                                        is_sgd ? nullptr : first.Get(),
                                        is_sgd ? nullptr : second.Get(),
                                        nullptr};
  float* const to = target == Target::kInPlace ? weights.Get() : other.Get();
  const StepNumbers step{.updates = 1, .count = 1, .rate = 1e-3};
  const PredictNumbers prediction{.updates = 2, .horizon = 3, .rate = 1e-3};
  const double states = is_sgd ? 1 : 2;
  const double arrays = target == Target::kPredictionOnly
                            ? 2 + states
                            : 4 + 2 * states + (target == Target::kWithPrediction ? 1 : 0);
  double seconds = 0;
  for (auto _ : state) {
    gradient.Refill();  // A step leaves zeros.
    const double took = SecondsOnGpu([&] {
      if (target == Target::kPredictionOnly) {
        cuda::Predict<float>(options, buffers, prediction, {weights.Get(), predicted.Get()},
                             nullptr);
      } else {
        cuda::Step<float>(
            options, buffers,
            {step, nullptr, target == Target::kWithPrediction ? &prediction : nullptr},
            {weights.Get(), to, predicted.Get()}, nullptr);
      }
    });
    state.SetIterationTime(took);
    seconds += took;
  }
  const double rate = arrays * kBytes * static_cast<double>(state.iterations()) / seconds;
  state.counters["GB_per_s"] = rate / 1e9;
  state.counters["share_of_copy"] = rate / copy;
}

constexpr auto kSgd = OptimizerKind::kSgd;
constexpr auto kAdamW = OptimizerKind::kAdamW;
BENCHMARK_CAPTURE(Update, sgd_momentum_in_place, kSgd, Target::kInPlace)->UseManualTime();
BENCHMARK_CAPTURE(Update, sgd_momentum_other_slot, kSgd, Target::kOtherSlot)->UseManualTime();
BENCHMARK_CAPTURE(Update, sgd_momentum_with_prediction, kSgd, Target::kWithPrediction)
    ->UseManualTime();
BENCHMARK_CAPTURE(Update, sgd_momentum_prediction, kSgd, Target::kPredictionOnly)->UseManualTime();
BENCHMARK_CAPTURE(Update, adamw_in_place, kAdamW, Target::kInPlace)->UseManualTime();
BENCHMARK_CAPTURE(Update, adamw_other_slot, kAdamW, Target::kOtherSlot)->UseManualTime();
BENCHMARK_CAPTURE(Update, adamw_with_prediction, kAdamW, Target::kWithPrediction)->UseManualTime();
BENCHMARK_CAPTURE(Update, adamw_prediction, kAdamW, Target::kPredictionOnly)->UseManualTime();

}  // namespace
}  // namespace stagecraft
