#include "engine/optimizer/optimizer.h"

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

namespace stagecraft {
namespace {

using Options = OptimizerOptions;

bool IsSgd(const Options& options) {
  return options.kind == OptimizerKind::kSgd;
}

std::string NoFault(const Options& /*options*/) {
  return {};
}

std::string UnlessBelowOne(double value, const char* what) {
  return value >= 0 && value < 1 ? std::string()
                                 : fmt::format("expected {} in [0, 1), got {}", what, value);
}

std::string MomentumFault(const Options& options) {
  std::string fault = UnlessBelowOne(options.momentum, "a momentum");
  if (!fault.empty() || IsSgd(options) || options.momentum == 0) {
    return fault;
  }
  return "is of sgd; adam and adamw take --betas";
}

std::string DampeningFault(const Options& options) {
  if (!(options.dampening >= 0 && options.dampening <= 1)) {
    return fmt::format("expected a number in [0, 1], got {}", options.dampening);
  }
  return options.dampening == 0 || IsSgd(options) ? "" : "is of sgd's momentum";
}

std::string NesterovFault(const Options& options) {
  const bool is_possible = IsSgd(options) && options.momentum > 0 && options.dampening == 0;
  return !options.nesterov || is_possible ? "" : "expected sgd with a momentum and no dampening";
}

std::string PredictionDecayFault(const Options& options) {
  return !options.prediction_decay || options.kind == OptimizerKind::kAdamW
             ? ""
             : "is of adamw, whose decay is not in its gradient";
}

std::string_view NeverIdle(const Options& /*options*/, bool /*predicts*/) {
  return {};
}

std::string_view IdleForAdam(const Options& options, bool /*predicts*/) {
  return IsSgd(options) ? "" : "is of sgd";
}

std::string_view IdleForSgd(const Options& options, bool /*predicts*/) {
  return IsSgd(options) ? "is of adam and adamw" : "";
}

std::string_view IdleWithoutMomentum(const Options& options, bool /*predicts*/) {
  return IsSgd(options) && options.momentum > 0 ? "" : "is of sgd's momentum, which is 0";
}

std::string_view IdleWithoutPredictions(bool predicts) {
  return predicts ? "" : "no weights of later updates are predicted in this schedule";
}

std::string_view DisplacementIdle(const Options& options, bool predicts) {
  const bool repeats_gradient = IsSgd(options) && options.momentum == 0;
  return predicts && repeats_gradient ? "both repeat the last gradient in sgd without a momentum"
                                      : IdleWithoutPredictions(predicts);
}

std::string_view PredictionDecayIdle(const Options& options, bool predicts) {
  return predicts && options.weight_decay == 0 ? "--weight-decay is 0"
                                               : IdleWithoutPredictions(predicts);
}

std::string_view CorrectionIdle(const Options& options, bool predicts) {
  return IsSgd(options) ? IdleForSgd(options, predicts) : IdleWithoutPredictions(predicts);
}

/// The exact value of one field: the shortest text that reads back as the same number.
template <auto field>
std::string TextOf(const Options& options) {
  if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(options.*field)>>) {
    return fmt::format("{}", static_cast<int>(options.*field));
  } else {
    return fmt::format("{}", options.*field);
  }
}

constexpr OptimizerField kFields[] = {
    {"--optimizer", TextOf<&Options::kind>, NoFault, NeverIdle},
    {"--momentum", TextOf<&Options::momentum>, MomentumFault, IdleForAdam},
    {"--dampening", TextOf<&Options::dampening>, DampeningFault, IdleWithoutMomentum},
    {"--nesterov", TextOf<&Options::nesterov>, NesterovFault, IdleWithoutMomentum},
    {"--weight-decay", TextOf<&Options::weight_decay>,
     [](const Options& options) {
       return options.weight_decay >= 0
                  ? std::string()
                  : fmt::format("expected at least 0, got {}", options.weight_decay);
     },
     NeverIdle},
    {"--betas", TextOf<&Options::beta1>,
     [](const Options& options) { return UnlessBelowOne(options.beta1, "the first"); }, IdleForSgd},
    {"--betas", TextOf<&Options::beta2>,
     [](const Options& options) { return UnlessBelowOne(options.beta2, "the second"); },
     IdleForSgd},
    {"--eps", TextOf<&Options::epsilon>,
     [](const Options& options) {
       return options.epsilon > 0
                  ? std::string()
                  : fmt::format("expected a number above 0, got {}", options.epsilon);
     },
     IdleForSgd},
    {"--clip", TextOf<&Options::clip_norm>,
     [](const Options& options) {
       return options.clip_norm >= 0
                  ? std::string()
                  : fmt::format("expected at least 0, got {}", options.clip_norm);
     },
     NeverIdle},
    {"--displacement", TextOf<&Options::displacement>, NoFault, DisplacementIdle},
    {"--prediction-decay", TextOf<&Options::prediction_decay>, PredictionDecayFault,
     PredictionDecayIdle},
    {"--xpipe-adam", TextOf<&Options::constant_correction>,
     [](const Options& options) {
       return std::string(!options.constant_correction || !IsSgd(options) ? ""
                                                                          : "is of adam and adamw");
     },
     CorrectionIdle},
};

/// Stands for a value of whatever type a field has.
struct AnyField {
  template <typename T>
  operator T() const;  // NOLINT(google-explicit-constructor): a field is initialised with it.
};

/// How many fields an aggregate of numbers has: with one initialiser more it is ill-formed.
template <typename T, typename... Fields>
constexpr std::size_t CountFields() {
  if constexpr (requires { T{Fields{}..., AnyField{}}; }) {
    return CountFields<T, Fields..., AnyField>();
  } else {
    return sizeof...(Fields);
  }
}
static_assert(CountFields<OptimizerOptions>() == std::size(kFields),
              "each field of OptimizerOptions needs a row in kFields");

}  // namespace

std::span<const OptimizerField> OptimizerFields() {
  return kFields;
}

std::vector<Diagnostic> CheckOptimizer(const OptimizerOptions& options) {
  std::vector<Diagnostic> faults;
  for (const OptimizerField& field : kFields) {
    std::string fault = field.fault(options);
    if (!fault.empty()) {
      Diagnostic& diagnostic = faults.emplace_back();
      diagnostic.where = field.flag;
      diagnostic.message = std::move(fault);
    }
  }
  return faults;
}

}  // namespace stagecraft
