#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/batches.h"
#include "engine/device.h"
#include "engine/model/host_tensor.h"
#include "engine/model/layer.h"
#include "engine/model/model.h"
#include "engine/optimizer/weight_store.h"
#include "engine/ranks/nccl.h"
#include "engine/ranks/store.h"
#include "engine/stage.h"

namespace stagecraft {

/// Loss between the last stage's output and the target, averaged over the micro-batch.
enum class Loss : std::uint8_t { kMeanSquares, kCrossEntropy };

inline std::vector<std::string_view> NamesOf(Loss /*loss*/) {
  return {"mse", "cross-entropy"};
}

/// What the last stage found for one micro-batch.
struct MicrobatchResult {
  std::int64_t microbatch = 0;
  double loss = 0;           ///< Mean over the micro-batch.
  std::int64_t samples = 0;  ///< How many it has; of texts that are evaluated, how many tokens.
  std::int64_t right = 0;    ///< For how many the target had the largest output; only evaluated.
};

/// Everything that a stage of a model is made of. Sizes and memory are the caller's; a framework
/// computes with them.
struct StageSetup {
  std::int32_t stage = 0;
  std::int32_t stages = 1;
  std::vector<Layer> layers;
  StageLayout layout;
  std::int64_t first_layer = 0;  ///< Index of `layers[0]` in the whole model.
  TensorShape input_sample;      ///< Shape of the input without the micro-batch's extent.
  TensorShape output_sample;
  ElementType type = ElementType::kFloat32;
  Loss loss = Loss::kCrossEntropy;
  std::uint64_t seed = 0;           ///< From which dropout's random numbers follow.
  WeightStore* weights = nullptr;   ///< Outlives the stage.
  Device* device = nullptr;         ///< Of the rank, outlives the stage; null in main memory.
  std::byte* statistics = nullptr;  ///< Holds `layout.buffers`, in the memory of the weights.
  BatchSource* training = nullptr;
  BatchSource* evaluation = nullptr;                       ///< Null if nothing is evaluated.
  std::function<void(const MicrobatchResult&)> on_result;  ///< Called by the last stage only.
};

/// A stage of a real model.
class ModelStage : public Stage {
 public:
  /// Micro-batch 0 of the schedule is number `microbatch` of the data from now on.
  virtual void StartAt(std::int64_t microbatch) = 0;

  /// Reports the results that have not been reported: on a device, a result is known some time
  /// after the call that computes it. Requires: everything has run.
  virtual void ReportAll() {}

  /// What `ReceivedBytes` says, for a RECV_F of an evaluation.
  virtual std::size_t EvaluatedBytes(std::int32_t /*microbatch*/) { return 0; }

  /// The forward without gradients on a micro-batch of the evaluation data, with the statistics
  /// that training has gathered and without dropout.
  virtual Boundary Evaluate(std::int32_t microbatch, std::int32_t slot, Boundary input) = 0;
};

/// Which rank a thread or process is, and which of those on its machine.
struct RankPlace {
  std::int32_t rank = 0, ranks = 1;
  std::int32_t local_rank = 0, local_ranks = 1;
  bool own_process = false;  ///< Whether each rank is a process; else they are threads of one.
};

/// How devices compute.
struct DeviceOptions {
  bool tf32 = false;          ///< Products of float32 with 10 bits of mantissa.
  bool deterministic = true;  ///< The same bits each time; may be slower.
  bool traffic = false;       ///< Copies run beside all ops: to measure what that does to them.

  friend bool operator==(const DeviceOptions&, const DeviceOptions&) = default;
};

/// Where a training computes: in main memory, or on GPUs.
struct Compute {
  bool on_gpus = false;
  DeviceOptions options;
};

/// What a framework finds to compute on.
struct DevicesFound {
  std::int32_t count = 0;
  std::string text;  ///< `1 x NVIDIA H200, driver 580.65, CUDA 13.0`; or why there is none.
};

/// What computes stages: LibTorch behind an interface of its own, so that the program starts
/// without it.
class Framework {
 public:
  Framework() = default;
  Framework(const Framework&) = delete;
  Framework& operator=(const Framework&) = delete;
  virtual ~Framework() = default;

  virtual std::string Version() const = 0;  ///< `LibTorch 2.11.0`.

  /// Called first on every thread that runs stages; one thread per rank computes, no more. Returns
  /// the rank's device if this framework has devices; null in main memory.
  virtual std::unique_ptr<Device> PrepareThread(const RankPlace& place) = 0;

  /// Devices of this machine. Leaves this process able to fork: nothing of them is set up here.
  virtual DevicesFound FindDevices() { return {0, "it computes in main memory"}; }

  /// Requires: `PrepareThread` has not been called.
  virtual void SetDeviceOptions(const DeviceOptions& /*options*/) {}

  /// What connects the devices of processes; null where there are no devices. Requires: this
  /// process has called `PrepareThread`. Throws `Error`.
  virtual Nccl* GetNccl() { return nullptr; }

  /// Throws `Error` if the setup makes no sense.
  virtual std::unique_ptr<ModelStage> MakeStage(StageSetup setup) = 0;

  /// Where processes of a job meet. Throws `Error` if it cannot be reached.
  virtual std::unique_ptr<Store> ConnectStore(const StoreAddress& address) = 0;
};

}  // namespace stagecraft
