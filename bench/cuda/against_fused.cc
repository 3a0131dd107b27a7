// A step with the prediction from its outcome, into other buffers: our one kernel against PyTorch's
// fused optimizer, which needs a copy of the weights before it and plain operations for the
// prediction behind it. In turn, on one GPU; without one it says so.

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/add.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <benchmark/benchmark.h>

#include "bench/cuda/gpu_timing.h"
#include "engine/cuda/device_kernels.h"

namespace stagecraft {
namespace {

constexpr std::int64_t kElements = 100'000'000;
constexpr double kRate = 1e-3;
constexpr double kHorizon = 3;
constexpr double kGradient = 0.5;

at::Tensor Make() {
  return at::ones({kElements}, at::TensorOptions().device(at::kCUDA));
}

void Pytorch(bool is_sgd, const at::Tensor& weights, const at::Tensor& other,
             const at::Tensor& predicted, const at::Tensor& gradient, const at::Tensor& first,
             const at::Tensor& second, const at::Tensor& steps) {
  at::Tensor next = other;
  next.copy_(weights);
  if (is_sgd) {
    at::_fused_sgd_({next}, {gradient}, {first}, /*weight_decay=*/0, /*momentum=*/0.9, kRate,
                    /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false,
                    /*is_first_step=*/false);
    at::Tensor result = predicted;
    at::add_out(result, next, first, -kRate * kHorizon);
    return;
  }
  at::_fused_adamw_({next}, {gradient}, {first}, {second}, {}, {steps}, kRate, 0.9, 0.999,
                    /*weight_decay=*/0.01, 1e-8, /*amsgrad=*/false, /*maximize=*/false);
  const at::Tensor direction = first.div(second.sqrt().add_(1e-8));
  at::Tensor result = predicted;
  at::add_out(result, next, direction, -kRate * kHorizon);
}

void StepAndPredict(benchmark::State& state, bool is_sgd) {
  if (!HasGpu(state)) {
    return;
  }
  const at::Tensor weights = Make(), other = Make(), predicted = Make(), gradient = Make(),
                   first = Make(), second = Make();
  const at::Tensor steps = at::ones({}, at::TensorOptions().device(at::kCUDA));
  OptimizerOptions options;
  options.kind = is_sgd ? OptimizerKind::kSgd : OptimizerKind::kAdamW;
  options.momentum = is_sgd ? 0.9 : 0;
  options.weight_decay = is_sgd ? 0 : 0.01;
  const auto data = [](const at::Tensor& tensor) { return tensor.mutable_data_ptr<float>(); };
  const OptimizerBuffers<float> buffers{kElements,
                                        data(gradient),
                                        is_sgd ? data(first) : nullptr,
                                        is_sgd ? nullptr : data(first),
                                        is_sgd ? nullptr : data(second),
                                        nullptr};
  const PredictNumbers prediction{.updates = 2, .horizon = 3, .rate = kRate};
  double ours = 0;
  double theirs = 0;
  for (auto _ : state) {
    gradient.fill_(kGradient);  // Our step leaves zeros, on which both would be timed otherwise.
    const double took = SecondsOnGpu([&] {
      cuda::Step<float>(options, buffers,
                        {{.updates = 1, .count = 1, .rate = kRate}, nullptr, &prediction},
                        {data(weights), data(other), data(predicted)}, nullptr);
    });
    gradient.fill_(kGradient);
    theirs += SecondsOnGpu(
        [&] { Pytorch(is_sgd, weights, other, predicted, gradient, first, second, steps); });
    ours += took;
    state.SetIterationTime(took);
  }
  state.counters["pytorch_over_ours"] = theirs / ours;
}

BENCHMARK_CAPTURE(StepAndPredict, sgd_momentum, true)->UseManualTime();
BENCHMARK_CAPTURE(StepAndPredict, adamw, false)->UseManualTime();

}  // namespace
}  // namespace stagecraft
