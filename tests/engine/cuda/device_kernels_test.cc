#include "engine/cuda/device_kernels.h"

#include <algorithm>
#include <cmath>
#include <cuda_runtime_api.h>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/cuda/cuda_check.h"
#include "tests/engine/cuda/gpu_or_skip.h"
#include "tests/engine/optimizer_cases.h"

namespace stagecraft {
namespace {

using test::OptimizerCase;
using test::OptimizerMemory;

/// A vector in the GPU's memory, written back when this goes; `shift` elements behind a place of
/// 256 bytes.
template <typename T>
class OnGpu {
 public:
  OnGpu(std::vector<T>& values, std::size_t shift) : values_(values), shift_(shift) {
    CheckCuda(cudaMalloc(&memory_, (values.size() + shift) * sizeof(T)), "cudaMalloc");
    CheckCuda(cudaMemcpy(Data(), values.data(), Bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  ~OnGpu() {
    EXPECT_EQ(cudaMemcpy(values_.data(), Data(), Bytes(), cudaMemcpyDeviceToHost), cudaSuccess);
    cudaFree(memory_);
  }
  OnGpu(const OnGpu&) = delete;
  OnGpu& operator=(const OnGpu&) = delete;

  T* Data() const { return static_cast<T*>(memory_) + shift_; }

 private:
  std::size_t Bytes() const { return values_.size() * sizeof(T); }

  std::vector<T>& values_;
  std::size_t shift_;
  void* memory_ = nullptr;
};

enum class What { kStep, kStepInPlace, kPredict, kBoth };

template <typename T>
void InMainMemory(const OptimizerCase& each, What what, OptimizerMemory<T>& memory) {
  const OptimizerBuffers<T> buffers = memory.Buffers(each.options);
  T* const from = memory.weights.data();
  T* const to = what == What::kStepInPlace ? from : memory.other.data();
  if (what == What::kPredict) {
    Predict<T>(each.options, buffers, each.prediction, from, memory.predicted.data());
  } else if (what == What::kBoth) {
    StepAndPredict<T>(each.options, buffers, each.step, each.prediction,
                      {from, to, memory.predicted.data()});
  } else {
    Step<T>(each.options, buffers, each.step, from, to);
  }
}

template <typename T>
void OnTheGpu(const OptimizerCase& each, What what, std::size_t shift, OptimizerMemory<T>& memory) {
  const OnGpu<T> weights(memory.weights, shift);
  const OnGpu<T> other(memory.other, shift);
  const OnGpu<T> predicted(memory.predicted, shift);
  const OnGpu<T> gradient(memory.gradient, shift);
  const OnGpu<T> velocity(memory.velocity, shift);
  const OnGpu<T> moment1(memory.moment1, shift);
  const OnGpu<T> moment2(memory.moment2, shift);
  const OnGpu<T> last(memory.last, shift);
  const OnGpu<T> difference(memory.difference, shift);
  OptimizerBuffers<T> buffers = memory.Buffers(each.options);
  buffers.gradient = gradient.Data();
  buffers.velocity = buffers.velocity == nullptr ? nullptr : velocity.Data();
  buffers.moment1 = buffers.moment1 == nullptr ? nullptr : moment1.Data();
  buffers.moment2 = buffers.moment2 == nullptr ? nullptr : moment2.Data();
  buffers.last = last.Data();
  buffers.difference = difference.Data();
  T* const from = weights.Data();
  T* const to = what == What::kStepInPlace ? from : other.Data();
  if (what == What::kPredict) {
    cuda::Predict<T>(each.options, buffers, each.prediction, {from, predicted.Data()}, nullptr);
  } else {
    cuda::Step<T>(each.options, buffers,
                  {each.step, nullptr, what == What::kBoth ? &each.prediction : nullptr},
                  {from, to, predicted.Data()}, nullptr);
  }
  CheckCuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

class DeviceKernels : public test::GpuTest {
 protected:
  template <typename T>
  void Compare(const OptimizerCase& each, What what, std::int64_t elements, std::size_t shift) {
    OptimizerMemory<T> here(elements);
    OptimizerMemory<T> there(elements);
    InMainMemory(each, what, here);
    OnTheGpu(each, what, shift, there);
    EXPECT_TRUE(here == there) << each.name << ", " << elements << " elements, what "
                               << static_cast<int>(what) << ", shifted by " << shift;
  }
};

TEST_F(DeviceKernels, GiveTheBitsOfMainMemoryForEveryOptimizer) {
  for (const OptimizerCase& each : test::OptimizerCases()) {
    for (const What what : {What::kStep, What::kStepInPlace, What::kPredict, What::kBoth}) {
      Compare<float>(each, what, 259, 0);
      Compare<double>(each, what, 259, 0);
    }
  }
}

TEST_F(DeviceKernels, GiveThemForEverySizeAndPlace) {
  const std::vector<OptimizerCase> all = test::OptimizerCases();
  const OptimizerCase& adamw = all[all.size() - 10];
  for (const std::int64_t elements : {1, 2, 3, 4, 255, 2500, (1 << 20) + 3}) {
    for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
      Compare<float>(adamw, What::kBoth, elements, shift);
      Compare<double>(adamw, What::kBoth, elements, shift);
    }
  }
}

TEST_F(DeviceKernels, ClipLikeMainMemoryForEverySizeAndPlace) {
  // One element, fewer than a pack has, one in the last pack, more packs than there are threads.
  for (const std::int64_t elements : {1, 3, 100'003, 3'000'001}) {
    for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
      OptimizerMemory<float> memory(elements);
      const double norm = GradientNorm(
          OptimizerBuffers<float>{.elements = elements, .gradient = memory.gradient.data()}, 2);
      std::vector<double> numbers(1 + cuda::kClipWorkspace);
      std::vector<double> again = numbers;
      for (std::vector<double>* result : {&numbers, &again}) {
        const OnGpu<float> gradient(memory.gradient, shift);
        const OnGpu<double> factor(*result, 0);
        cuda::ClipFactor(OptimizerBuffers<float>{.elements = elements, .gradient = gradient.Data()},
                         2, norm / 2, factor.Data(), nullptr);
      }
      EXPECT_NEAR(numbers[0], norm / 2 / (norm + 1e-6), 1e-11) << elements << " " << shift;
      EXPECT_EQ(numbers, again) << elements << " " << shift;
    }
  }
}

TEST_F(DeviceKernels, SumInTheOrderOfTheMembers) {
  constexpr std::int64_t kElements = 1003;
  std::vector<float> gathered = OptimizerMemory<float>(3 * kElements).gradient;
  std::vector<float> sum(kElements);
  std::vector<float> expected;
  for (std::size_t i = 0; i < kElements; ++i) {
    double total = gathered[i];
    total += gathered[kElements + i];
    total += gathered[2 * kElements + i];
    expected.push_back(static_cast<float>(total));
  }
  {
    const OnGpu<float> from(gathered, 0);
    const OnGpu<float> to(sum, 0);
    cuda::SumInOrder(from.Data(), 3, kElements, to.Data(), nullptr);
  }
  EXPECT_EQ(sum, expected);
}

}  // namespace
}  // namespace stagecraft
