#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"

namespace stagecraft {

enum class OptimizerKind : std::uint8_t { kSgd, kAdam, kAdamW };

/// Which step a prediction repeats. The two are equal for gradients that do not change.
enum class Displacement : std::uint8_t {
  kLast,  ///< The one applied last: what the papers write.
  kNext,  ///< The next one, if the last gradient came again: what the released codes do.
};

/// How weights are updated and predicted: the rules of torch.optim's SGD, Adam and AdamW.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kSgd;
  double momentum = 0;      ///< Of SGD, in [0, 1).
  double dampening = 0;     ///< Of SGD's momentum, in [0, 1]; not in its first step.
  bool nesterov = false;    ///< Of SGD: needs a momentum, and no dampening.
  double weight_decay = 0;  ///< Added to the gradient; of AdamW apart from it. At least 0.
  double beta1 = 0.9;       ///< Of Adam and AdamW, in [0, 1).
  double beta2 = 0.999;     ///< Of Adam and AdamW, in [0, 1).
  double epsilon = 1e-8;    ///< Of Adam and AdamW, above 0.
  double clip_norm = 0;     ///< Longest gradient of a stage; 0: as long as it is.

  Displacement displacement = Displacement::kLast;
  bool prediction_decay = false;  ///< Predictions include AdamW's weight decay; the papers' don't.
  bool constant_correction = false;  ///< Predictions of Adam: XPipe's 1 - beta for 1 - beta^t.
};

/// What there is to know of one field of `OptimizerOptions`.
struct OptimizerField {
  std::string_view flag;  ///< That sets it; --betas sets two.
  /// Its value, such that two values are equal if their texts are.
  std::string (*text)(const OptimizerOptions& options);
  /// What is wrong with it; empty if nothing is.
  std::string (*fault)(const OptimizerOptions& options);
  /// Why its value changes nothing, given whether the schedule predicts weights of later updates;
  /// empty if it does change something.
  std::string_view (*idle)(const OptimizerOptions& options, bool predicts);
};

/// One row for each field, in the order of the struct: checking, the flags' warnings and the
/// fingerprint of a job all ask this table.
std::span<const OptimizerField> OptimizerFields();

/// One sentence per option that makes no sense, naming its flag.
std::vector<Diagnostic> CheckOptimizer(const OptimizerOptions& options);

}  // namespace stagecraft
