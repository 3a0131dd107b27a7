#include "engine/cuda/cuda_weights.h"

#include "engine/cuda/cuda_check.h"
#include "engine/cuda/cuda_memory.h"
#include "engine/cuda/device_kernels.h"

namespace stagecraft {
namespace {

class CudaWeights : public WeightMemory {
 public:
  explicit CudaWeights(cudaStream_t stream) : stream_(stream) {}

  bool IsHost() const override { return false; }

  std::shared_ptr<std::byte> Allocate(std::size_t bytes) override {
    std::shared_ptr<std::byte> memory = AllocateOnGpu(bytes, stream_);
    CheckCuda(cudaMemsetAsync(memory.get(), 0, bytes, stream_), "cudaMemsetAsync");
    return memory;
  }

  void CopyIn(std::byte* to, std::span<const std::byte> from) override {
    CopyAndWait(to, from.data(), from.size(), cudaMemcpyHostToDevice);
  }
  void CopyOut(std::span<std::byte> to, const std::byte* from) override {
    CopyAndWait(to.data(), from, to.size(), cudaMemcpyDeviceToHost);
  }
  void Copy(std::byte* to, const std::byte* from, std::size_t bytes) override {
    CheckCuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_),
              "cudaMemcpyAsync");
  }

  void Step(const OptimizerOptions& options, const OptimizerBuffers<float>& buffers,
            const StepWork<float>& work) override {
    StepAs(options, buffers, work);
  }
  void Step(const OptimizerOptions& options, const OptimizerBuffers<double>& buffers,
            const StepWork<double>& work) override {
    StepAs(options, buffers, work);
  }
  void Predict(const OptimizerOptions& options, const OptimizerBuffers<float>& buffers,
               const PredictWork<float>& work) override {
    cuda::Predict(options, buffers, work.numbers, {work.from, work.to}, stream_);
  }
  void Predict(const OptimizerOptions& options, const OptimizerBuffers<double>& buffers,
               const PredictWork<double>& work) override {
    cuda::Predict(options, buffers, work.numbers, {work.from, work.to}, stream_);
  }

 private:
  void CopyAndWait(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    if (bytes > 0) {
      CheckCuda(cudaMemcpyAsync(to, from, bytes, kind, stream_), "cudaMemcpyAsync");
      CheckCuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    }
  }

  template <typename T>
  void StepAs(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
              const StepWork<T>& work) {
    const double* clip = nullptr;
    if (options.clip_norm > 0) {
      if (!clip_) {
        clip_ = Allocate((cuda::kClipWorkspace + 1) * sizeof(double));
      }
      auto* const numbers = reinterpret_cast<double*>(clip_.get());
      cuda::ClipFactor(buffers, work.numbers.count, options.clip_norm, numbers, stream_);
      clip = numbers;
    }
    cuda::Step(options, buffers, {work.numbers, clip, work.prediction}, work.targets, stream_);
  }

  cudaStream_t stream_;
  std::shared_ptr<std::byte> clip_;  ///< The factor, and room to work it out.
};

}  // namespace

std::unique_ptr<WeightMemory> MakeCudaWeights(cudaStream_t stream) {
  return std::make_unique<CudaWeights>(stream);
}

}  // namespace stagecraft
