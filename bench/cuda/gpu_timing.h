#pragma once

#include <cuda_runtime_api.h>
#include <functional>

#include <benchmark/benchmark.h>

namespace stagecraft {

/// Whether there is a GPU; else the benchmark is skipped, which is no failure.
inline bool HasGpu(benchmark::State& state) {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess && count > 0) {
    return true;
  }
  static_cast<void>(cudaGetLastError());
  state.SetLabel("skipped: no GPU");
  for (auto _ : state) {
    state.SetIterationTime(1);
  }
  return false;
}

/// Seconds that what `work` puts into the default stream takes, by events.
inline double SecondsOnGpu(const std::function<void()>& work) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  cudaEventRecord(begin, nullptr);
  work();
  cudaEventRecord(end, nullptr);
  cudaEventSynchronize(end);
  float milliseconds = 0;
  cudaEventElapsedTime(&milliseconds, begin, end);
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return static_cast<double>(milliseconds) / 1e3;
}

}  // namespace stagecraft
