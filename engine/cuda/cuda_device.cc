#include "engine/cuda/cuda_device.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/cuda/PeerToPeerAccess.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include "engine/cuda/cuda_check.h"
#include "engine/cuda/cuda_memory.h"
#include "engine/cuda/cuda_weights.h"
#include "engine/cuda/device_kernels.h"
#include "engine/cuda/gpu_clock.h"
#include "engine/cuda/traffic.h"
#include "engine/torch/plain_errors.h"

namespace stagecraft {
namespace {

/// Events of one GPU that can be used again, since making one costs as much as an op's launch. Of
/// the whole process: an event may outlive the rank that recorded it.
class EventPool {
 public:
  cudaEvent_t Take() {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        const cudaEvent_t event = free_.back();
        free_.pop_back();
        return event;
      }
    }
    cudaEvent_t event = nullptr;
    CheckCuda(cudaEventCreate(&event), "cudaEventCreate");
    return event;
  }
  void Give(cudaEvent_t event) {
    const std::lock_guard lock(mutex_);
    free_.push_back(event);
  }

 private:
  std::mutex mutex_;
  std::vector<cudaEvent_t> free_;
};

constexpr std::int32_t kMostDevices = 64;

/// Never destroyed: CUDA may be gone before static objects are.
EventPool& EventsOf(std::int32_t device) {
  // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): of the process, as said.
  static auto& pools = *new std::array<EventPool, kMostDevices>;
  return pools.at(static_cast<std::size_t>(device));
}

struct CudaEvent : DeviceEvent {
  explicit CudaEvent(std::int32_t number) : DeviceEvent(number), event(EventsOf(number).Take()) {}
  ~CudaEvent() override { EventsOf(device).Give(event); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  const cudaEvent_t event;
};

cudaEvent_t EventOf(const DeviceEvent& event) {
  return static_cast<const CudaEvent&>(event).event;
}

cudaStream_t StreamOf(Device::Stream stream) {
  return static_cast<cudaStream_t>(stream);
}

class CudaDevice : public Device {
 public:
  CudaDevice(std::int32_t number, bool traffic)
      : number_(number),
        compute_(c10::cuda::getStreamFromPool(false, static_cast<c10::DeviceIndex>(number))),
        weights_(MakeCudaWeights(compute_.stream())) {
    c10::cuda::setCurrentCUDAStream(compute_);
    if (traffic) {
      traffic_.emplace();
    }
  }
  ~CudaDevice() override {
    // What a failed job left running ends with the process.
    for (const cudaStream_t stream : streams_) {
      cudaStreamDestroy(stream);
    }
    static_cast<void>(cudaGetLastError());  // Else the next device's launches would be blamed.
  }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  std::int32_t Number() const override { return number_; }
  Stream ComputeStream() override { return compute_.stream(); }

  Stream MakeStream() override {
    int least = 0;
    int greatest = 0;
    CheckCuda(cudaDeviceGetStreamPriorityRange(&least, &greatest),
              "cudaDeviceGetStreamPriorityRange");
    cudaStream_t stream = nullptr;
    CheckCuda(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest),
              "cudaStreamCreateWithPriority");
    streams_.push_back(stream);
    return stream;
  }

  std::shared_ptr<DeviceEvent> Record(Stream stream) override {
    auto event = std::make_shared<CudaEvent>(number_);
    CheckCuda(cudaEventRecord(event->event, StreamOf(stream)), "cudaEventRecord");
    return event;
  }

  void Wait(Stream stream, const DeviceEvent& event) override {
    CheckCuda(cudaStreamWaitEvent(StreamOf(stream), EventOf(event), 0), "cudaStreamWaitEvent");
  }

  bool IsDone(const DeviceEvent& event) override {
    const cudaError_t status = cudaEventQuery(EventOf(event));
    if (status == cudaErrorNotReady) {
      static_cast<void>(cudaGetLastError());
      return false;
    }
    CheckCuda(status, "the device");
    return true;
  }

  Nanoseconds Between(const DeviceEvent& from, const DeviceEvent& to) override {
    float milliseconds = 0;
    CheckCuda(cudaEventElapsedTime(&milliseconds, EventOf(from), EventOf(to)),
              "cudaEventElapsedTime");
    return std::chrono::duration_cast<Nanoseconds>(
        std::chrono::duration<double, std::milli>(static_cast<double>(milliseconds)));
  }

  Boundary Allocate(std::size_t bytes, Stream stream) override {
    std::shared_ptr<std::byte> memory = AllocateOnGpu(bytes, StreamOf(stream));
    std::byte* const data = memory.get();
    return {std::move(memory), data, bytes};
  }

  Boundary CopyHere(const Boundary& tensor) override {
    const std::int32_t from = tensor.ready->device;
    WithPlainErrors([&] {
      at::cuda::get_p2p_access(static_cast<c10::DeviceIndex>(number_),
                               static_cast<c10::DeviceIndex>(from));  // Enables it where it can be.
    });
    Boundary copy = Allocate(tensor.bytes, compute_.stream());
    CheckCuda(
        cudaMemcpyPeerAsync(copy.data, number_, tensor.data, from, tensor.bytes, compute_.stream()),
        "cudaMemcpyPeerAsync");
    copy.ready = Record(compute_.stream());
    return copy;
  }

  std::optional<std::int32_t> Clock() override { return GpuClock(number_); }

  WeightMemory& Weights() override { return *weights_; }

  void SumInOrder(const DeviceValues& gathered, std::int32_t members, std::byte* sum,
                  Stream stream) override {
    if (gathered.type == ElementType::kFloat64) {
      cuda::SumInOrder(reinterpret_cast<const double*>(gathered.data), members, gathered.elements,
                       reinterpret_cast<double*>(sum), stream);
    } else {
      cuda::SumInOrder(reinterpret_cast<const float*>(gathered.data), members, gathered.elements,
                       reinterpret_cast<float*>(sum), stream);
    }
  }

 private:
  std::int32_t number_;
  c10::cuda::CUDAStream compute_;
  std::unique_ptr<WeightMemory> weights_;
  std::vector<cudaStream_t> streams_;
  std::optional<Traffic> traffic_;
};

}  // namespace

std::unique_ptr<Device> MakeCudaDevice(std::int32_t number, bool traffic) {
  return WithPlainErrors([&] {
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(number));
    return std::make_unique<CudaDevice>(number, traffic);
  });
}

}  // namespace stagecraft
