// What one non-blocking call of NCCL costs the thread that makes it, until NCCL has taken it: each
// starts a thread of NCCL's own and waits for its end by asking. One rank that is connected with
// itself. Without a GPU it says so.

#include <chrono>
#include <memory>
#include <stdexcept>

#include <benchmark/benchmark.h>

#include "bench/cuda/gpu_timing.h"
#include "engine/cuda/cuda_framework.h"
#include "engine/cuda/loaded_nccl.h"

namespace stagecraft {
namespace {

class OneRank {
 public:
  OneRank() : device_(framework_.PrepareThread({})), nccl_(LoadNccl()) {
    Settle(nccl_->Connect(&comm_, nccl_->MakeId(), 0, 1, 1));
    stream_ = device_->MakeStream();
    from_ = device_->Allocate(kBytes, stream_);
    to_ = device_->Allocate(kBytes, stream_);
  }
  ~OneRank() { nccl_->Abort(comm_); }
  OneRank(const OneRank&) = delete;
  OneRank& operator=(const OneRank&) = delete;

  void Gather() { Settle(nccl_->AllGather(comm_, from_.data, to_.data, kBytes, stream_)); }

  /// Until the device has run all calls.
  void WaitForDevice() {
    const std::shared_ptr<DeviceEvent> done = device_->Record(stream_);
    while (!device_->IsDone(*done)) {
    }
  }

 private:
  static constexpr std::size_t kBytes = 1 << 16;

  void Settle(Nccl::State state) {
    while (state == Nccl::State::kInProgress) {
      state = nccl_->StateOf(comm_);
    }
    if (state == Nccl::State::kFailed) {
      throw std::runtime_error(nccl_->Fault(comm_));
    }
  }

  CudaFramework framework_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Nccl> nccl_;
  Nccl::Comm comm_ = nullptr;
  Device::Stream stream_ = nullptr;
  Boundary from_, to_;
};

void GiveCalls(benchmark::State& state) {
  if (!HasGpu(state)) {
    return;
  }
  constexpr int kCalls = 100;
  OneRank rank;
  double seconds = 0;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) {
      rank.Gather();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    rank.WaitForDevice();
    state.SetIterationTime(took.count());
    seconds += took.count();
  }
  state.counters["us_per_call"] =
      1e6 * seconds / (kCalls * static_cast<double>(state.iterations()));
}

BENCHMARK(GiveCalls)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stagecraft
