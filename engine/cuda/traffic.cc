#include "engine/cuda/traffic.h"

#include <atomic>
#include <cstddef>
#include <cuda_runtime_api.h>
#include <thread>

#include "engine/cuda/cuda_check.h"

namespace stagecraft {

struct Traffic::Copies {
  static constexpr std::size_t kBytes = std::size_t{64} << 20;
  /// So that the stream is never idle and never far behind.
  static constexpr int kAhead = 4;

  void Run(int device) {
    cudaSetDevice(device);
    cudaEvent_t events[kAhead];
    for (cudaEvent_t& event : events) {
      cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    }

    for (int i = 0; !stop; i = (i + 1) % kAhead) {
      cudaEventSynchronize(events[i]);
      cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice, stream);
      cudaEventRecord(events[i], stream);
    }

    cudaStreamSynchronize(stream);
    for (const cudaEvent_t event : events) {
      cudaEventDestroy(event);
    }
  }

  void* from = nullptr;
  void* to = nullptr;
  cudaStream_t stream = nullptr;
  std::atomic<bool> stop{false};
  std::thread thread;
};

Traffic::Traffic() : copies_(std::make_unique<Copies>()) {
  int device = 0;
  CheckCuda(cudaGetDevice(&device), "cudaGetDevice");
  CheckCuda(cudaMalloc(&copies_->from, Copies::kBytes), "cudaMalloc");
  CheckCuda(cudaMalloc(&copies_->to, Copies::kBytes), "cudaMalloc");
  CheckCuda(cudaStreamCreateWithFlags(&copies_->stream, cudaStreamNonBlocking),
            "cudaStreamCreateWithFlags");
  copies_->thread = std::thread([copies = copies_.get(), device] { copies->Run(device); });
}

Traffic::~Traffic() {
  copies_->stop = true;
  copies_->thread.join();
  cudaStreamDestroy(copies_->stream);
  cudaFree(copies_->from);
  cudaFree(copies_->to);
  static_cast<void>(cudaGetLastError());  // Else the next launch would be taken for a failure.
}

}  // namespace stagecraft
