#include "engine/optimizer/optimizer.h"

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/check.h"

namespace stagecraft {
namespace {

using Options = OptimizerOptions;

Direction DirectionOfSgd(const Options& options) {
  if (!(options.momentum > 0)) {
    return Direction::kGradient;
  }
  return options.nesterov ? Direction::kNesterov : Direction::kVelocity;
}

Direction AlongMoments(const Options& /*options*/) {
  return Direction::kMoments;
}

constexpr OptimizerTraits kOptimizers[] = {
    {.kind = OptimizerKind::kSgd,
     .name = "sgd",
     .torch_name = "SGD",
     .description = "stochastic gradient descent, with a momentum",
     .direction = DirectionOfSgd,
     .has_momentum = true,
     .has_moments = false,
     .decays_apart = false,
     .usual_rate = 0.02,
     .usual_momentum = 0.9},
    {.kind = OptimizerKind::kAdam,
     .name = "adam",
     .torch_name = "Adam",
     .description = "steps scaled by running means of the gradient and its square",
     .direction = AlongMoments,
     .has_momentum = false,
     .has_moments = true,
     .decays_apart = false,
     .usual_rate = 0.001,
     .usual_momentum = 0},
    {.kind = OptimizerKind::kAdamW,
     .name = "adamw",
     .torch_name = "AdamW",
     .description = "adam, whose weight decay is not in its gradient",
     .direction = AlongMoments,
     .has_momentum = false,
     .has_moments = true,
     .decays_apart = true,
     .usual_rate = 0.001,
     .usual_momentum = 0},
};

/// `adam and adamw`: the optimizers that have `trait`.
std::string NamesWith(bool OptimizerTraits::*trait) {
  std::vector<std::string_view> names;
  for (const OptimizerTraits& optimizer : kOptimizers) {
    if (optimizer.*trait) {
      names.push_back(optimizer.name);
    }
  }
  return fmt::format("{}", fmt::join(names, " and "));
}

bool Has(const Options& options, bool OptimizerTraits::*trait) {
  return TraitsOf(options.kind).*trait;
}

// Faults: what is wrong with a field.

std::string NoFault(const Options& /*options*/) {
  return {};
}

std::string UnlessBelowOne(double value, const char* what) {
  return value >= 0 && value < 1 ? std::string()
                                 : fmt::format("expected {} in [0, 1), got {}", what, value);
}

std::string MomentumFault(const Options& options) {
  std::string fault = UnlessBelowOne(options.momentum, "a momentum");
  if (!fault.empty() || Has(options, &OptimizerTraits::has_momentum) || options.momentum == 0) {
    return fault;
  }
  return fmt::format("is of {}; {} take betas", NamesWith(&OptimizerTraits::has_momentum),
                     NamesWith(&OptimizerTraits::has_moments));
}

std::string DampeningFault(const Options& options) {
  if (!(options.dampening >= 0 && options.dampening <= 1)) {
    return fmt::format("expected a number in [0, 1], got {}", options.dampening);
  }
  if (options.dampening == 0 || Has(options, &OptimizerTraits::has_momentum)) {
    return {};
  }
  return fmt::format("is of {}'s momentum", NamesWith(&OptimizerTraits::has_momentum));
}

std::string NesterovFault(const Options& options) {
  const bool is_possible = Has(options, &OptimizerTraits::has_momentum) && options.momentum > 0 &&
                           options.dampening == 0;
  if (!options.nesterov || is_possible) {
    return {};
  }
  return fmt::format("expected {} with a momentum and no dampening",
                     NamesWith(&OptimizerTraits::has_momentum));
}

std::string PredictionDecayFault(const Options& options) {
  if (!options.prediction_decay || Has(options, &OptimizerTraits::decays_apart)) {
    return {};
  }
  return fmt::format("is of {}, whose decay is not in its gradient",
                     NamesWith(&OptimizerTraits::decays_apart));
}

std::string CorrectionFault(const Options& options) {
  if (!options.constant_correction || Has(options, &OptimizerTraits::has_moments)) {
    return {};
  }
  return fmt::format("is of {}", NamesWith(&OptimizerTraits::has_moments));
}

// Idleness: why the value of a field changes nothing.

std::string NeverIdle(const Options& /*options*/, bool /*predicts*/) {
  return {};
}

template <bool OptimizerTraits::*trait>
std::string IdleWithout(const Options& options, bool /*predicts*/) {
  return Has(options, trait) ? std::string() : fmt::format("is of {}", NamesWith(trait));
}

std::string IdleWithoutMomentum(const Options& options, bool /*predicts*/) {
  if (Has(options, &OptimizerTraits::has_momentum) && options.momentum > 0) {
    return {};
  }
  return fmt::format("is of {}'s momentum, which is 0", NamesWith(&OptimizerTraits::has_momentum));
}

std::string IdleWithoutPredictions(bool predicts) {
  return predicts ? "" : "no weights of later updates are predicted in this schedule";
}

std::string DisplacementIdle(const Options& options, bool predicts) {
  return predicts && DirectionOf(options) == Direction::kGradient
             ? fmt::format("both repeat the last gradient in {} without a momentum",
                           TraitsOf(options.kind).name)
             : IdleWithoutPredictions(predicts);
}

std::string PredictionDecayIdle(const Options& options, bool predicts) {
  return predicts && options.weight_decay == 0 ? "the weight decay is 0"
                                               : IdleWithoutPredictions(predicts);
}

std::string CorrectionIdle(const Options& options, bool predicts) {
  std::string idle = IdleWithout<&OptimizerTraits::has_moments>(options, predicts);
  return idle.empty() ? IdleWithoutPredictions(predicts) : idle;
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
    {"kind", TextOf<&Options::kind>, NoFault, NeverIdle},
    {"momentum", TextOf<&Options::momentum>, MomentumFault,
     IdleWithout<&OptimizerTraits::has_momentum>},
    {"dampening", TextOf<&Options::dampening>, DampeningFault, IdleWithoutMomentum},
    {"nesterov", TextOf<&Options::nesterov>, NesterovFault, IdleWithoutMomentum},
    {"weight_decay", TextOf<&Options::weight_decay>,
     [](const Options& options) {
       return options.weight_decay >= 0
                  ? std::string()
                  : fmt::format("expected at least 0, got {}", options.weight_decay);
     },
     NeverIdle},
    {"beta1", TextOf<&Options::beta1>,
     [](const Options& options) { return UnlessBelowOne(options.beta1, "the first"); },
     IdleWithout<&OptimizerTraits::has_moments>},
    {"beta2", TextOf<&Options::beta2>,
     [](const Options& options) { return UnlessBelowOne(options.beta2, "the second"); },
     IdleWithout<&OptimizerTraits::has_moments>},
    {"epsilon", TextOf<&Options::epsilon>,
     [](const Options& options) {
       return options.epsilon > 0
                  ? std::string()
                  : fmt::format("expected a number above 0, got {}", options.epsilon);
     },
     IdleWithout<&OptimizerTraits::has_moments>},
    {"clip_norm", TextOf<&Options::clip_norm>,
     [](const Options& options) {
       return options.clip_norm >= 0
                  ? std::string()
                  : fmt::format("expected at least 0, got {}", options.clip_norm);
     },
     NeverIdle},
    {"displacement", TextOf<&Options::displacement>, NoFault, DisplacementIdle},
    {"prediction_decay", TextOf<&Options::prediction_decay>, PredictionDecayFault,
     PredictionDecayIdle},
    {"constant_correction", TextOf<&Options::constant_correction>, CorrectionFault, CorrectionIdle},
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

std::vector<std::string_view> NamesOf(OptimizerKind /*kind*/) {
  std::vector<std::string_view> names;
  for (const OptimizerTraits& optimizer : kOptimizers) {
    names.push_back(optimizer.name);
  }
  return names;
}

std::vector<std::string_view> NamesOf(Displacement /*displacement*/) {
  return {"last", "next"};
}

std::vector<std::string_view> NamesOf(OptimizerBuffer /*buffer*/) {
  return {"momentum", "m", "v", "last_gradient", "weight_difference"};
}

std::span<const OptimizerTraits> AllOptimizers() {
  return kOptimizers;
}

const OptimizerTraits& TraitsOf(OptimizerKind kind) {
  for (const OptimizerTraits& optimizer : kOptimizers) {
    if (optimizer.kind == kind) {
      return optimizer;
    }
  }
  STAGECRAFT_CHECK(false, "each OptimizerKind needs a row in kOptimizers");
}

Direction DirectionOf(const OptimizerOptions& options) {
  return TraitsOf(options.kind).direction(options);
}

std::vector<OptimizerBuffer> BuffersOf(const OptimizerOptions& options,
                                       const PredictionNeeds& needs) {
  const Direction direction = DirectionOf(options);
  std::vector<OptimizerBuffer> buffers;
  for (const OptimizerBuffer buffer :
       {OptimizerBuffer::kVelocity, OptimizerBuffer::kMoment1, OptimizerBuffer::kMoment2}) {
    if (Keeps(direction, buffer)) {
      buffers.push_back(buffer);
    }
  }

  // A prediction that repeats the next step, or a step along the gradient, begins with the last
  // gradient, which a step clears.
  if (needs.forward &&
      (options.displacement == Displacement::kNext || direction == Direction::kGradient)) {
    buffers.push_back(OptimizerBuffer::kLast);
  }
  if (needs.backward) {
    buffers.push_back(OptimizerBuffer::kDifference);
  }
  return buffers;
}

std::int64_t OptimizerBytes(const OptimizerOptions& options, std::int64_t parameter_bytes) {
  const auto kept = static_cast<std::int64_t>(BuffersOf(options).size());
  return (1 + kept) * parameter_bytes;
}

std::span<const OptimizerField> OptimizerFields() {
  return kFields;
}

std::vector<Diagnostic> CheckOptimizer(const OptimizerOptions& options) {
  std::vector<Diagnostic> faults;
  for (const OptimizerField& field : kFields) {
    std::string fault = field.fault(options);
    if (!fault.empty()) {
      faults.push_back(ErrorAt(std::string(field.name), std::move(fault)));
    }
  }
  return faults;
}

}  // namespace stagecraft
