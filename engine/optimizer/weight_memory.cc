#include "engine/optimizer/weight_memory.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

namespace stagecraft {
namespace {

constexpr std::size_t kAlignment = 64;
/// torch.nn.utils.clip_grad_norm_'s, against a division by 0.
constexpr double kClipEpsilon = 1e-6;

class MainMemory : public WeightMemory {
 public:
  bool IsHost() const override { return true; }

  std::shared_ptr<std::byte> Allocate(std::size_t bytes) override {
    const std::size_t rounded =
        (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    std::shared_ptr<std::byte> memory(
        static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)), std::free);
    if (!memory) {
      throw std::bad_alloc();
    }
    std::memset(memory.get(), 0, rounded);
    return memory;
  }

  void CopyIn(std::byte* to, std::span<const std::byte> from) override {
    Copy(to, from.data(), from.size());
  }
  void CopyOut(std::span<std::byte> to, const std::byte* from) override {
    Copy(to.data(), from, to.size());
  }
  void Copy(std::byte* to, const std::byte* from, std::size_t bytes) override {
    if (bytes > 0) {
      std::memcpy(to, from, bytes);
    }
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
    stagecraft::Predict(options, buffers, work.numbers, work.from, work.to);
  }
  void Predict(const OptimizerOptions& options, const OptimizerBuffers<double>& buffers,
               const PredictWork<double>& work) override {
    stagecraft::Predict(options, buffers, work.numbers, work.from, work.to);
  }

 private:
  template <typename T>
  static void StepAs(const OptimizerOptions& options, const OptimizerBuffers<T>& buffers,
                     const StepWork<T>& work) {
    StepNumbers numbers = work.numbers;
    if (options.clip_norm > 0) {
      const double norm = GradientNorm(buffers, numbers.count);
      if (!std::isfinite(norm)) {  // Squares may be too large where the gradient is not.
        NoteNotFinite(buffers.first_not_finite, numbers.updates);
      }
      numbers.clip = std::min(1.0, options.clip_norm / (norm + kClipEpsilon));
    }
    if (work.prediction == nullptr) {
      stagecraft::Step(options, buffers, numbers, work.targets.from, work.targets.to);
    } else {
      StepAndPredict(options, buffers, numbers, *work.prediction, work.targets);
    }
  }
};

template <typename T>
std::vector<double> ReadAs(WeightMemory& memory, const DeviceValues& values) {
  std::vector<T> copy(static_cast<std::size_t>(values.elements));
  memory.CopyOut(std::as_writable_bytes(std::span(copy)), values.data);
  return {copy.begin(), copy.end()};
}

template <typename T>
void WriteAs(WeightMemory& memory, const DeviceValues& values, std::span<const double> numbers) {
  std::vector<T> copy(numbers.size());
  std::transform(numbers.begin(), numbers.end(), copy.begin(),
                 [](double number) { return static_cast<T>(number); });
  memory.CopyIn(values.data, std::as_bytes(std::span(copy)));
}

}  // namespace

std::vector<double> ReadNumbers(WeightMemory& memory, const DeviceValues& values) {
  return values.type == ElementType::kFloat64 ? ReadAs<double>(memory, values)
                                              : ReadAs<float>(memory, values);
}

void WriteNumbers(WeightMemory& memory, const DeviceValues& values,
                  std::span<const double> numbers) {
  values.type == ElementType::kFloat64 ? WriteAs<double>(memory, values, numbers)
                                       : WriteAs<float>(memory, values, numbers);
}

WeightMemory& HostMemory() {
  static MainMemory memory;
  return memory;
}

}  // namespace stagecraft
