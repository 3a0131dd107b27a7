#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// An optimizer of torch.optim. What there is to know of each is in `AllOptimizers`.
enum class OptimizerKind : std::uint8_t { kSgd, kAdam, kAdamW };

/// Which step a prediction repeats. The two are equal for gradients that do not change.
enum class Displacement : std::uint8_t {
  kLast,  ///< The step applied last: what the papers write.
  kNext,  ///< The next step, if the last gradient came again: what the released codes do.
};

/// The names of the enumerators, in their order.
std::vector<std::string_view> NamesOf(OptimizerKind);
std::vector<std::string_view> NamesOf(Displacement);

/// How weights are updated and predicted: the rules of torch.optim's SGD, Adam and AdamW.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kSgd;
  double momentum = 0;    ///< Of SGD, in [0, 1).
  double dampening = 0;   ///< Of SGD's momentum, in [0, 1]; its first step is not dampened.
  bool nesterov = false;  ///< Of SGD: needs a momentum, and no dampening.
  double weight_decay =
      0;                  ///< At least 0. Added to the gradient; AdamW scales the weights instead.
  double beta1 = 0.9;     ///< Of Adam and AdamW, in [0, 1).
  double beta2 = 0.999;   ///< Of Adam and AdamW, in [0, 1).
  double epsilon = 1e-8;  ///< Of Adam and AdamW, above 0.
  double clip_norm = 0;   ///< A longer gradient of a stage is shortened to it; 0 shortens none.

  Displacement displacement = Displacement::kLast;
  bool prediction_decay = false;  ///< Predictions include AdamW's weight decay; the papers' don't.
  bool constant_correction = false;  ///< Predictions of Adam: XPipe's 1 - beta for 1 - beta^t.
};

/// Along what a step moves the weights. Optimizers share directions: kernels know these only.
enum class Direction : std::uint8_t {
  kGradient,  ///< The gradient itself.
  kVelocity,  ///< A running sum of gradients.
  kNesterov,  ///< The gradient, and beyond it along the running sum.
  kMoments,   ///< Adam's: the mean of the gradients over the root of the mean of their squares.
};

/// A flat buffer that an optimizer keeps from one update to the next, a number for each weight.
enum class OptimizerBuffer : std::uint8_t {
  kVelocity,
  kMoment1,
  kMoment2,
  kLast,        ///< Gradient of the last step: mean, clipped, with decay.
  kDifference,  ///< Moving average of what steps change.
};

/// The names of the buffers in a snapshot.
std::vector<std::string_view> NamesOf(OptimizerBuffer);

/// Whether a step along `direction` keeps `buffer`.
constexpr bool Keeps(Direction direction, OptimizerBuffer buffer) {
  switch (direction) {
    case Direction::kGradient:
      return false;
    case Direction::kVelocity:
    case Direction::kNesterov:
      return buffer == OptimizerBuffer::kVelocity;
    case Direction::kMoments:
      return buffer == OptimizerBuffer::kMoment1 || buffer == OptimizerBuffer::kMoment2;
  }
  return false;
}

/// What there is to know of an optimizer. Flags, checks, buffers, sizes and rules ask this table;
/// none of them asks which optimizer it is.
struct OptimizerTraits {
  OptimizerKind kind;
  std::string_view name;         ///< In flags and messages: `adamw`.
  std::string_view torch_name;   ///< Of the class in torch.optim: `AdamW`.
  std::string_view description;  ///< For the help: half a sentence.
  Direction (*direction)(const OptimizerOptions& options);
  bool has_momentum;      ///< Momentum, dampening and Nesterov's momentum count.
  bool has_moments;       ///< The betas, epsilon and the constant correction count.
  bool decays_apart;      ///< Weight decay scales the weights, and is not added to the gradient.
  double usual_rate;      ///< The learning rate to begin with if none is given.
  double usual_momentum;  ///< The momentum to begin with if none is given.
};

/// One row for each `OptimizerKind`, in the order of the enumerators.
std::span<const OptimizerTraits> AllOptimizers();
const OptimizerTraits& TraitsOf(OptimizerKind kind);

/// Along what a step with `options` moves the weights.
Direction DirectionOf(const OptimizerOptions& options);

/// What the predictions of a schedule ask of an optimizer.
struct PredictionNeeds {
  bool forward = false;   ///< Weights of later updates are predicted.
  bool backward = false;  ///< Weights of earlier updates are estimated (PipeMare).
};

/// The buffers that an optimizer with `options` keeps, in the order of the enumerators.
std::vector<OptimizerBuffer> BuffersOf(const OptimizerOptions& options,
                                       const PredictionNeeds& needs = {});

/// Bytes of the gradient and of what is kept from one update to the next, without predictions, for
/// weights of `parameter_bytes`.
std::int64_t OptimizerBytes(const OptimizerOptions& options, std::int64_t parameter_bytes);

/// What there is to know of one field of `OptimizerOptions`.
struct OptimizerField {
  std::string_view name;  ///< As in the struct: `weight_decay`.
  /// Its value, such that two values are equal if their texts are.
  std::string (*text)(const OptimizerOptions& options);
  /// What is wrong with it; empty if nothing is.
  std::string (*fault)(const OptimizerOptions& options);
  /// Why its value changes nothing, given whether the schedule predicts weights of later updates;
  /// empty if it does change something.
  std::string (*idle)(const OptimizerOptions& options, bool predicts);
};

/// One row for each field, in the order of the struct: checking, warnings about options without
/// effect and the fingerprint of a job all ask this table.
std::span<const OptimizerField> OptimizerFields();

/// One sentence per option that makes no sense, with the name of its field as the place.
std::vector<Diagnostic> CheckOptimizer(const OptimizerOptions& options);

}  // namespace stagecraft
