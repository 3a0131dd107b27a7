#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/model/host_tensor.h"
#include "engine/optimizer/optimizer_kernels.h"

namespace stagecraft {

/// Numbers of kFloat32 or kFloat64 in a `WeightMemory`, often a device's.
struct DeviceValues {
  std::byte* data = nullptr;
  std::int64_t elements = 0;
  ElementType type = ElementType::kFloat32;

  std::size_t Bytes() const { return static_cast<std::size_t>(elements * BytesOf(type)); }
};

/// One step, and the prediction from its outcome unless `prediction` is null.
template <typename T>
struct StepWork {
  StepNumbers numbers;     ///< `clip` is not used: it follows from `OptimizerOptions`.
  StepTargets<T> targets;  ///< `predicted` is used only with a prediction.
  const PredictNumbers* prediction = nullptr;
};

template <typename T>
struct PredictWork {
  PredictNumbers numbers;
  const T* from = nullptr;
  T* to = nullptr;
};

/// Where the flat buffers of a `WeightStore` are, and what updates them there. On a device, updates
/// are put into its compute stream; copies wait for it.
class WeightMemory {
 public:
  WeightMemory() = default;
  WeightMemory(const WeightMemory&) = delete;
  WeightMemory& operator=(const WeightMemory&) = delete;
  virtual ~WeightMemory() = default;

  /// Whether the program itself can read and write it.
  virtual bool IsHost() const = 0;

  /// Memory of zeros, aligned to 64 bytes. Throws `std::bad_alloc` or `Error` if there is not
  /// enough.
  virtual std::shared_ptr<std::byte> Allocate(std::size_t bytes) = 0;

  virtual void CopyIn(std::byte* to, std::span<const std::byte> from) = 0;
  virtual void CopyOut(std::span<std::byte> to, const std::byte* from) = 0;
  /// Copies within this memory. Requires: the two ranges do not overlap.
  virtual void Copy(std::byte* to, const std::byte* from, std::size_t bytes) = 0;

  virtual void Step(const OptimizerOptions& options, const OptimizerBuffers<float>& buffers,
                    const StepWork<float>& work) = 0;
  virtual void Step(const OptimizerOptions& options, const OptimizerBuffers<double>& buffers,
                    const StepWork<double>& work) = 0;
  virtual void Predict(const OptimizerOptions& options, const OptimizerBuffers<float>& buffers,
                       const PredictWork<float>& work) = 0;
  virtual void Predict(const OptimizerOptions& options, const OptimizerBuffers<double>& buffers,
                       const PredictWork<double>& work) = 0;
};

/// Copies of `values`, which are in `memory`, as doubles; and the reverse, rounded to their type.
/// Slow: for a few numbers now and then. `WriteNumbers` requires as many numbers as `values` has.
std::vector<double> ReadNumbers(WeightMemory& memory, const DeviceValues& values);
void WriteNumbers(WeightMemory& memory, const DeviceValues& values,
                  std::span<const double> numbers);

/// Main memory. Lives as long as the program.
WeightMemory& HostMemory();

}  // namespace stagecraft
