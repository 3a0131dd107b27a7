#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/model/host_tensor.h"
#include "engine/optimizer/learning_rate.h"
#include "engine/optimizer/optimizer.h"
#include "engine/optimizer/weight_memory.h"
#include "engine/weights.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/weight_slots.h"

namespace stagecraft {

/// What a schedule asks of the weights of one stage on one rank.
struct StoreNeeds {
  std::int32_t slots = 1;
  bool predicts = false;              ///< Whether a P has a horizon above 0.
  std::int32_t negative_horizon = 0;  ///< The least horizon of a P; 0 if none is below 0.
};

StoreNeeds NeedsOf(const Schedule& schedule, const WeightSlots& slots, std::int32_t rank,
                   std::int32_t stage);

/// Names of the buffers that a checkpoint keeps of such a stage: those that the optimizer needs
/// under every schedule, and those that only predictions need.
std::vector<std::string> OptimizerState(const OptimizerOptions& optimizer);
std::vector<std::string> PredictionState(const StoreNeeds& needs,
                                         const OptimizerOptions& optimizer);

struct WeightStoreOptions {
  ElementType type = ElementType::kFloat32;  ///< kFloat32 or kFloat64.
  std::int64_t elements = 0;
  StoreNeeds needs{};
  OptimizerOptions optimizer{};
  LearningRate learning_rate{};
  /// The gradient of a micro-batch of n samples is added up n / `samples` times: all of them once
  /// if they all have as many.
  std::int64_t samples = 1;
  WeightMemory* memory = &HostMemory();  ///< Must outlive the store.
};

/// A buffer that a checkpoint keeps, of `elements` like the weights.
struct StateBuffer {
  std::string name;
  std::byte* data = nullptr;
};

/// The weights of one stage in flat buffers: one per slot, the gradient, and what the optimizer
/// keeps, all in one kind of memory. All begin as zeros, aligned to 64 bytes.
///
///   slot 0   slot 1  ...    versions and predictions, as schedules/weight_slots.h says
///   gradient                a sum, which autograd adds to and a step clears
///   momentum | m, v         the optimizer's
///   last gradient           only if predictions need it
///   weight difference       moving average of steps, only for horizons below 0 (PipeMare)
///
/// and one number that says when a gradient was not finite.
class WeightStore : public Weights {
 public:
  explicit WeightStore(const WeightStoreOptions& options);

  std::int64_t Elements() const { return options_.elements; }
  WeightMemory& Memory() const { return *options_.memory; }
  std::byte* Slot(std::int32_t slot) { return slots_[slot].get(); }
  std::byte* GradientData() { return gradient_.get(); }

  /// The slot of the newest version; 0 before the first step.
  std::int32_t NewestSlot() const { return newest_; }
  /// How many updates have been made, over all runs.
  std::int64_t Updates() const { return updates_; }
  void SetUpdates(std::int64_t updates) { updates_ = updates; }

  /// The first update, counted like `Updates`, whose gradient was not finite; nullopt if all were
  /// finite. The weights themselves are not looked at. On a device it waits for the updates.
  std::optional<std::int64_t> FirstNotFinite() const;

  /// The buffers that a checkpoint keeps beside the newest weights.
  std::vector<StateBuffer> State();

  /// Copies the newest version to `slot`, where it is version 0 of the program's next run.
  void MoveNewestTo(std::int32_t slot);

  /// Takes note of what a caller has put into a slot.
  void Note(std::int32_t slot, SlotContent content) { contents_[slot] = content; }

  void Step(const StepOp& step) override;
  void Predict(const PredictOp& prediction) override;
  void StepAndPredict(const StepOp& step, const PredictOp& prediction) override;
  std::span<double> Gradient() override;
  void GradientReplaced() override;
  std::optional<DeviceValues> GradientOnDevice() override;
  std::optional<SlotContent> Holds(std::int32_t slot) const override { return contents_[slot]; }

 private:
  using Buffer = std::shared_ptr<std::byte>;

  Buffer MakeBuffer() const;
  std::size_t Bytes() const {
    return static_cast<std::size_t>(options_.elements * BytesOf(options_.type));
  }
  void NotePrediction(const PredictOp& prediction);
  template <typename T>
  OptimizerBuffers<T> Buffers() const;
  template <typename T>
  void StepAs(const StepOp& step, const PredictOp* prediction);
  template <typename T>
  void PredictAs(const PredictOp& prediction);

  WeightStoreOptions options_;
  Table<Buffer> slots_;
  Table<std::optional<SlotContent>> contents_;  ///< What each slot holds.
  Buffer gradient_;
  std::map<OptimizerBuffer, Buffer> kept_;  ///< What the optimizer and its predictions keep.
  Buffer first_not_finite_;                 ///< One int64: see `FirstNotFinite`.
  std::vector<double> exchanged_;           ///< The gradient in double, while replicas add theirs.
  std::vector<std::byte> narrowed_;         ///< The same numbers in the type of the weights.
  std::int32_t newest_ = 0;
  std::int64_t updates_ = 0;
};

}  // namespace stagecraft
