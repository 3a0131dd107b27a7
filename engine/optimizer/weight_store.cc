#include "engine/optimizer/weight_store.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "schedules/names.h"

namespace stagecraft {
namespace {

/// PipeMare's constant: after as many updates as the horizon reaches back, a difference counts
/// exp(-2) of what it did.
constexpr double kDifferenceDecay = -2;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

PredictionNeeds PredictionsOf(const StoreNeeds& needs) {
  return {.forward = needs.predicts, .backward = needs.negative_horizon < 0};
}

template <typename T>
T* As(const auto& buffer) {
  return reinterpret_cast<T*>(buffer.get());
}

}  // namespace

StoreNeeds NeedsOf(const Schedule& schedule, const WeightSlots& slots, std::int32_t rank,
                   std::int32_t stage) {
  StoreNeeds needs;
  for (const StageSlots& of_stage : slots.stages) {
    if (of_stage.rank == rank && of_stage.stage == stage) {
      needs.slots = of_stage.slots;
    }
  }
  for (const Op& op : schedule.programs[rank]) {
    if (op.kind == OpKind::kPredict && op.stage == stage) {
      needs.predicts = needs.predicts || op.horizon > 0;
      needs.negative_horizon = std::min<std::int32_t>(needs.negative_horizon, op.horizon);
    }
  }
  return needs;
}

std::vector<std::string> OptimizerState(const OptimizerOptions& optimizer) {
  std::vector<std::string> names;
  for (const OptimizerBuffer buffer : BuffersOf(optimizer)) {
    names.emplace_back(ToString(buffer));
  }
  return names;
}

std::vector<std::string> PredictionState(const StoreNeeds& needs,
                                         const OptimizerOptions& optimizer) {
  const std::vector<std::string> always = OptimizerState(optimizer);
  std::vector<std::string> names;
  for (const OptimizerBuffer buffer : BuffersOf(optimizer, PredictionsOf(needs))) {
    if (std::ranges::find(always, ToString(buffer)) == always.end()) {
      names.emplace_back(ToString(buffer));
    }
  }
  return names;
}

WeightStore::Buffer WeightStore::MakeBuffer() const {
  return options_.memory->Allocate(Bytes());
}

WeightStore::WeightStore(const WeightStoreOptions& options) : options_(options) {
  for (std::int32_t slot = 0; slot < options.needs.slots; ++slot) {
    slots_.push_back(MakeBuffer());
  }
  contents_.resize(slots_.size());
  contents_.front() = SlotContent{};
  gradient_ = MakeBuffer();
  first_not_finite_ = options.memory->Allocate(sizeof kNever);
  options.memory->CopyIn(first_not_finite_.get(), std::as_bytes(std::span(&kNever, 1)));

  for (const OptimizerBuffer buffer : BuffersOf(options.optimizer, PredictionsOf(options.needs))) {
    kept_[buffer] = MakeBuffer();
  }
}

std::optional<std::int64_t> WeightStore::FirstNotFinite() const {
  std::int64_t first = kNever;
  Memory().CopyOut(std::as_writable_bytes(std::span(&first, 1)), first_not_finite_.get());
  return first == kNever ? std::nullopt : std::optional(first);
}

std::vector<StateBuffer> WeightStore::State() {
  std::vector<StateBuffer> state;
  for (const auto& [buffer, memory] : kept_) {
    state.push_back({ToString(buffer), memory.get()});
  }
  return state;
}

void WeightStore::MoveNewestTo(std::int32_t slot) {
  if (slot != newest_) {
    Memory().Copy(Slot(slot), Slot(newest_), Bytes());
    newest_ = slot;
  }
  contents_.assign(slots_.size(), std::nullopt);
  contents_[slot] = SlotContent{};
}

template <typename T>
OptimizerBuffers<T> WeightStore::Buffers() const {
  OptimizerBuffers<T> buffers{.elements = options_.elements, .gradient = As<T>(gradient_)};
  for (const auto& [buffer, memory] : kept_) {
    buffers[buffer] = As<T>(memory);
  }
  buffers.first_not_finite = As<std::int64_t>(first_not_finite_);
  return buffers;
}

template <typename T>
void WeightStore::StepAs(const StepOp& step, const PredictOp* prediction) {
  const auto slot = [&](std::int32_t index) { return As<T>(slots_[index]); };

  StepWork<T> work;
  work.numbers = {
      .updates = updates_,
      .count = static_cast<double>(step.samples) / static_cast<double>(options_.samples),
      .rate = options_.learning_rate.At(updates_)};
  if (kept_.contains(OptimizerBuffer::kDifference)) {
    work.numbers.difference_decay = std::exp(kDifferenceDecay / -options_.needs.negative_horizon);
  }

  work.targets = {slot(step.from), slot(step.to), nullptr};
  ++updates_;
  newest_ = step.to;
  contents_[step.to] = SlotContent{step.version + 1, 0};

  PredictNumbers numbers;
  if (prediction != nullptr) {
    NotePrediction(*prediction);
    numbers = {updates_, prediction->horizon, options_.learning_rate.At(updates_)};
    work.prediction = &numbers;
    work.targets.predicted = slot(prediction->to);
  }
  Memory().Step(options_.optimizer, Buffers<T>(), work);
}

template <typename T>
void WeightStore::PredictAs(const PredictOp& prediction) {
  const PredictWork<T> work{{updates_, prediction.horizon, options_.learning_rate.At(updates_)},
                            As<T>(slots_[prediction.from]),
                            As<T>(slots_[prediction.to])};
  Memory().Predict(options_.optimizer, Buffers<T>(), work);
}

void WeightStore::Step(const StepOp& step) {
  options_.type == ElementType::kFloat64 ? StepAs<double>(step, nullptr)
                                         : StepAs<float>(step, nullptr);
}

void WeightStore::NotePrediction(const PredictOp& prediction) {
  contents_[prediction.to] = SlotContent{prediction.version, prediction.horizon};
}

void WeightStore::Predict(const PredictOp& prediction) {
  NotePrediction(prediction);
  options_.type == ElementType::kFloat64 ? PredictAs<double>(prediction)
                                         : PredictAs<float>(prediction);
}

void WeightStore::StepAndPredict(const StepOp& step, const PredictOp& prediction) {
  options_.type == ElementType::kFloat64 ? StepAs<double>(step, &prediction)
                                         : StepAs<float>(step, &prediction);
}

std::span<double> WeightStore::Gradient() {
  const auto size = static_cast<std::size_t>(options_.elements);
  if (options_.type == ElementType::kFloat64 && Memory().IsHost()) {
    return {As<double>(gradient_), size};
  }

  // Replicas add up in double, in main memory: this rank's numbers are copied there.
  narrowed_.resize(Bytes());
  Memory().CopyOut(narrowed_, gradient_.get());

  if (options_.type == ElementType::kFloat64) {
    exchanged_.resize(size);
    std::memcpy(exchanged_.data(), narrowed_.data(), narrowed_.size());
  } else {
    const auto* const values = reinterpret_cast<const float*>(narrowed_.data());
    exchanged_.assign(values, values + size);
  }
  return exchanged_;
}

void WeightStore::GradientReplaced() {
  if (options_.type == ElementType::kFloat64) {
    if (!Memory().IsHost()) {
      Memory().CopyIn(gradient_.get(), std::as_bytes(std::span(exchanged_)));
    }
    return;
  }
  std::transform(exchanged_.begin(), exchanged_.end(), reinterpret_cast<float*>(narrowed_.data()),
                 [](double sum) { return static_cast<float>(sum); });
  Memory().CopyIn(gradient_.get(), narrowed_);
}

std::optional<DeviceValues> WeightStore::GradientOnDevice() {
  if (Memory().IsHost()) {
    return std::nullopt;
  }
  return DeviceValues{gradient_.get(), options_.elements, options_.type};
}

}  // namespace stagecraft
