#include "engine/weight_store.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include "engine/optimizer_kernels.h"

namespace stagecraft {
namespace {

constexpr std::size_t kAlignment = 64;
/// PipeMare's constant: after as many updates as the horizon reaches back, a difference counts
/// exp(-2) of what it did.
constexpr double kDifferenceDecay = -2;
/// torch.nn.utils.clip_grad_norm_'s, against a division by 0.
constexpr double kClipEpsilon = 1e-6;

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
  for (const Op& op : schedule.programs[static_cast<std::size_t>(rank)]) {
    if (op.kind == OpKind::kPredict && op.stage == stage) {
      needs.predicts = needs.predicts || op.horizon > 0;
      needs.negative_horizon = std::min<std::int32_t>(needs.negative_horizon, op.horizon);
    }
  }
  return needs;
}

void WeightStore::Free::operator()(std::byte* memory) const {
  std::free(memory);
}

WeightStore::Buffer WeightStore::MakeBuffer() const {
  const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(options_.elements, 1) *
                                              BytesOf(options_.type));
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  Buffer buffer(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)));
  if (!buffer) {
    throw std::bad_alloc();
  }
  std::memset(buffer.get(), 0, rounded);
  return buffer;
}

WeightStore::WeightStore(const WeightStoreOptions& options) : options_(options) {
  for (std::int32_t slot = 0; slot < options.needs.slots; ++slot) {
    slots_.push_back(MakeBuffer());
  }
  contents_.resize(slots_.size());
  contents_.front() = SlotContent{};
  gradient_ = MakeBuffer();
  const OptimizerOptions& optimizer = options.optimizer;
  const bool is_sgd = optimizer.kind == OptimizerKind::kSgd;
  if (is_sgd && optimizer.momentum > 0) {
    velocity_ = MakeBuffer();
  }
  if (!is_sgd) {
    moment1_ = MakeBuffer();
    moment2_ = MakeBuffer();
  }
  if (options.needs.predicts &&
      (optimizer.displacement == Displacement::kNext || (is_sgd && optimizer.momentum == 0))) {
    last_ = MakeBuffer();
  }
  if (options.needs.negative_horizon < 0) {
    difference_ = MakeBuffer();
  }
}

std::vector<StateBuffer> WeightStore::State() {
  std::vector<StateBuffer> state;
  const auto add = [&](const char* name, const Buffer& buffer) {
    if (buffer) {
      state.push_back({name, buffer.get()});
    }
  };
  add("momentum", velocity_);
  add("m", moment1_);
  add("v", moment2_);
  add("last_gradient", last_);
  add("weight_difference", difference_);
  return state;
}

void WeightStore::MoveNewestTo(std::int32_t slot) {
  if (slot != newest_) {
    std::memcpy(Slot(slot), Slot(newest_),
                static_cast<std::size_t>(options_.elements * BytesOf(options_.type)));
    newest_ = slot;
  }
  contents_.assign(slots_.size(), std::nullopt);
  contents_[static_cast<std::size_t>(slot)] = SlotContent{};
}

template <typename T>
void WeightStore::StepAs(const StepOp& step, const PredictOp* prediction) {
  const OptimizerBuffers<T> buffers{options_.elements, As<T>(gradient_), As<T>(velocity_),
                                    As<T>(moment1_),   As<T>(moment2_),  As<T>(last_),
                                    As<T>(difference_)};
  StepNumbers numbers{
      .updates = updates_, .count = step.microbatches, .rate = options_.learning_rate.At(updates_)};
  if (options_.optimizer.clip_norm > 0) {
    const double norm = GradientNorm(buffers, step.microbatches);
    numbers.clip = std::min(1.0, options_.optimizer.clip_norm / (norm + kClipEpsilon));
  }
  if (difference_) {
    numbers.difference_decay = std::exp(kDifferenceDecay / -options_.needs.negative_horizon);
  }
  const T* const from = As<T>(slots_[static_cast<std::size_t>(step.from)]);
  T* const to = As<T>(slots_[static_cast<std::size_t>(step.to)]);
  ++updates_;
  newest_ = step.to;
  contents_[static_cast<std::size_t>(step.to)] = SlotContent{step.version + 1, 0};
  if (prediction != nullptr) {
    NotePrediction(*prediction);
  }
  if (prediction == nullptr) {
    stagecraft::Step(options_.optimizer, buffers, numbers, from, to);
    return;
  }
  stagecraft::StepAndPredict(options_.optimizer, buffers, numbers,
                             {updates_, prediction->horizon, options_.learning_rate.At(updates_)},
                             {from, to, As<T>(slots_[static_cast<std::size_t>(prediction->to)])});
}

template <typename T>
void WeightStore::PredictAs(const PredictOp& prediction) {
  const OptimizerBuffers<T> buffers{options_.elements, As<T>(gradient_), As<T>(velocity_),
                                    As<T>(moment1_),   As<T>(moment2_),  As<T>(last_),
                                    As<T>(difference_)};
  stagecraft::Predict(
      options_.optimizer, buffers,
      {updates_, prediction.horizon, options_.learning_rate.At(updates_)},
      static_cast<const T*>(As<T>(slots_[static_cast<std::size_t>(prediction.from)])),
      As<T>(slots_[static_cast<std::size_t>(prediction.to)]));
}

void WeightStore::Step(const StepOp& step) {
  options_.type == ElementType::kFloat64 ? StepAs<double>(step, nullptr)
                                         : StepAs<float>(step, nullptr);
}

void WeightStore::NotePrediction(const PredictOp& prediction) {
  contents_[static_cast<std::size_t>(prediction.to)] =
      SlotContent{prediction.version, prediction.horizon};
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
  if (options_.type == ElementType::kFloat64) {
    return {As<double>(gradient_), size};
  }
  exchanged_.assign(As<float>(gradient_), As<float>(gradient_) + size);
  return exchanged_;
}

void WeightStore::GradientReplaced() {
  if (options_.type == ElementType::kFloat32) {
    std::transform(exchanged_.begin(), exchanged_.end(), As<float>(gradient_),
                   [](double sum) { return static_cast<float>(sum); });
  }
}

}  // namespace stagecraft
