// Updates and predictions over flat buffers, against memcpy in the same run. Bytes count each array
// that is read or written once; in place, an array that is both counts twice.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <benchmark/benchmark.h>

#include "engine/optimizer/optimizer_kernels.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kElements = 25'000'000;

std::vector<float> Ones() {
  return std::vector<float>(kElements, 1.0F);
}

void Report(benchmark::State& state, double arrays) {
  state.counters["GB_per_s"] = benchmark::Counter(arrays * kElements * sizeof(float) / 1e9,
                                                  benchmark::Counter::kIsIterationInvariantRate);
}

void Memcpy(benchmark::State& state) {
  std::vector<float> from = Ones();
  std::vector<float> to = Ones();
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), kElements * sizeof(float));
    benchmark::DoNotOptimize(to.data());
  }
  Report(state, 2);
}
BENCHMARK(Memcpy)->Unit(benchmark::kMillisecond);

enum class Target { kInPlace, kOtherSlot, kWithPrediction };

void Update(benchmark::State& state, OptimizerKind kind, Target target,
            Displacement displacement = Displacement::kLast) {
  OptimizerOptions options;
  options.displacement = displacement;
  options.kind = kind;
  options.momentum = kind == OptimizerKind::kSgd ? 0.9 : 0;
  std::vector<float> weights = Ones();
  std::vector<float> other = target == Target::kInPlace ? std::vector<float>() : Ones();
  std::vector<float> predicted = target == Target::kWithPrediction ? Ones() : std::vector<float>();
  std::vector<float> gradient = Ones();
  std::vector<float> first = Ones();
  std::vector<float> second = Ones();
  std::vector<float> last = displacement == Displacement::kNext ? Ones() : std::vector<float>();
  const bool is_sgd = kind == OptimizerKind::kSgd;
  const OptimizerBuffers<float> buffers{kElements,
                                        gradient.data(),
                                        is_sgd ? first.data() : nullptr,
                                        is_sgd ? nullptr : first.data(),
                                        is_sgd ? nullptr : second.data(),
                                        last.empty() ? nullptr : last.data()};
  StepNumbers step{.updates = 1, .count = 1, .rate = 1e-3};
  float* const to = target == Target::kInPlace ? weights.data() : other.data();
  for (auto _ : state) {
    if (target == Target::kWithPrediction) {
      StepAndPredict<float>(options, buffers, step,
                            {.updates = step.updates + 1, .horizon = 3, .rate = 1e-3},
                            {weights.data(), to, predicted.data()});
    } else {
      Step<float>(options, buffers, step, weights.data(), to);
    }
    ++step.updates;
    benchmark::DoNotOptimize(to);
  }
  if (!std::isfinite(to[kElements - 1]) || gradient[kElements - 1] != 0) {
    state.SkipWithError("an update went wrong");
  }
  // Weights, gradient and states are read and written, and the prediction is written.
  const double states = is_sgd ? 1 : 2;
  // So is the last gradient, which "next" wants.
  Report(state, 2 + 2 + 2 * states + (target == Target::kWithPrediction ? 1 : 0) +
                    (displacement == Displacement::kNext ? 1 : 0));
}

BENCHMARK_CAPTURE(Update, sgd_momentum_in_place, OptimizerKind::kSgd, Target::kInPlace)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Update, sgd_momentum_other_slot, OptimizerKind::kSgd, Target::kOtherSlot)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Update, sgd_momentum_with_prediction, OptimizerKind::kSgd,
                  Target::kWithPrediction)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Update, adamw_in_place, OptimizerKind::kAdamW, Target::kInPlace)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Update, adamw_other_slot, OptimizerKind::kAdamW, Target::kOtherSlot)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Update, adamw_with_prediction, OptimizerKind::kAdamW, Target::kWithPrediction)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Update, adamw_with_prediction_of_next, OptimizerKind::kAdamW,
                  Target::kWithPrediction, Displacement::kNext)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
