#include "tools/arguments/optimizer_arguments.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tools/arguments/flags.h"
#include "tools/arguments/option_flags.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

const char* const kGroup = "Optimizer";
const char* const kPredictionGroup = "Weight prediction";

/// The flags whose names are not those of the fields and parameters that they set.
struct RenamedFlag {
  std::string_view option;
  std::string_view flag;
};
constexpr RenamedFlag kRenamed[] = {
    {"kind", "--optimizer"}, {"beta1", "--betas"},      {"beta2", "--betas"},
    {"epsilon", "--eps"},    {"clip_norm", "--clip"},   {"constant_correction", "--xpipe-adam"},
    {"rates", "--lr"},       {"shape", "--lr-schedule"}};

/// `faults` as faults of the command line, which names flags.
CommandFailure UsageFailure(std::vector<Diagnostic> faults) {
  for (Diagnostic& fault : faults) {
    fault.where = FlagOfOptimizer(fault.where);
  }
  return {ExitCode::kUsage, std::move(faults)};
}

/// `[SGD: 0.02; Adam: 0.001]`: what each optimizer begins with, without those that begin with 0.
std::string UsualValues(double OptimizerTraits::*value) {
  std::string text;
  for (const OptimizerTraits& optimizer : AllOptimizers()) {
    if (optimizer.*value != 0) {
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", optimizer.name, optimizer.*value);
    }
  }
  return "[" + text + "]";
}

/// `sgd: stochastic ...; adam: ...`
std::string Descriptions() {
  std::string text;
  for (const OptimizerTraits& optimizer : AllOptimizers()) {
    text += fmt::format("{}{}, torch.optim's {}: {}", text.empty() ? "" : "; ", optimizer.name,
                        optimizer.torch_name, optimizer.description);
  }
  return text;
}

/// A number. Whether it is in range is for `CheckOptimizer` to say.
Result<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value)) {
    return {value, {}};
  }
  return {std::nullopt,
          {ErrorAt("", fmt::format("expected a number, such as 0.9, got '{}'", text))}};
}

/// Declares a flag for any finite number, which `take` gets.
CLI::Option* AddNumber(CLI::App& app, const std::string& flag, std::function<void(double)> take,
                       const std::string& description) {
  return app
      .add_option_function<std::string>(
          flag,
          [flag, take = std::move(take)](const std::string& text) {
            take(FlagValue(flag, ParseNumber(text)));
          },
          description)
      ->type_name("X")
      ->group(kGroup);
}

}  // namespace

std::string FlagOfOptimizer(std::string_view option) {
  for (const RenamedFlag& renamed : kRenamed) {
    if (renamed.option == option) {
      return std::string(renamed.flag);
    }
  }
  return FlagCalled(option);
}

void OptimizerArguments::AddTo(CLI::App& app) {
  AddChoice(app, "--optimizer", options_.kind, Descriptions() + " [sgd]")->group(kGroup);

  // The learning rate, and how it changes.
  app.add_option("--lr", rates_,
                 "learning rate, or one per update, the last of which holds for all later ones " +
                     UsualValues(&OptimizerTraits::usual_rate))
      ->type_name("X[,Y,...]")
      ->group(kGroup);
  app.add_option(
         "--lr-schedule", schedule_,
         "how the learning rate changes: multiplied by FACTOR after each EVERY updates, or along a "
         "cosine over UPDATES [constant]")
      ->type_name("constant|step:EVERY,FACTOR|cosine:UPDATES[,FLOOR]")
      ->group(kGroup);
  AddInteger(app, "--lr-warmup", {0, std::numeric_limits<std::int32_t>::max(), "UPDATES"}, warmup_,
             "updates over which the learning rate rises from 0 [0]")
      ->group(kGroup);

  // What only some optimizers have.
  AddNumber(
      app, "--momentum", [this](double value) { momentum_ = value; },
      "share of its last step that a step goes on with " +
          UsualValues(&OptimizerTraits::usual_momentum));
  AddNumber(
      app, "--dampening", [this](double value) { options_.dampening = value; },
      "dampening of sgd's momentum [0]");
  app.add_flag("--nesterov", options_.nesterov, "Nesterov's momentum for sgd")->group(kGroup);
  AddNumber(
      app, "--weight-decay", [this](double value) { options_.weight_decay = value; },
      "weight decay, added to the gradient; adamw applies it apart from the gradient [0]");
  app.add_option_function<std::string>(
         "--betas",
         [this](const std::string& text) {
           const std::vector<std::string_view> parts = SplitAtCommas(text);
           if (parts.size() != 2) {
             throw CLI::ValidationError("--betas",
                                        fmt::format("expected two numbers A,B, got '{}'", text));
           }
           options_.beta1 = FlagValue("--betas", ParseNumber(parts[0]));
           options_.beta2 = FlagValue("--betas", ParseNumber(parts[1]));
         },
         "decay rates of adam and adamw [0.9,0.999]")
      ->type_name("A,B")
      ->group(kGroup);
  AddNumber(
      app, "--eps", [this](double value) { options_.epsilon = value; },
      "added to the denominator of adam and adamw [1e-8]");
  AddNumber(
      app, "--clip", [this](double value) { options_.clip_norm = value; },
      "largest norm of a stage's gradient; a larger one is scaled down to it [off]");

  // What a schedule that predicts weights asks for.
  AddChoice(app, "--displacement", options_.displacement,
            "which step a prediction repeats: the last one, or the next if the last gradient came "
            "again [last]")
      ->group(kPredictionGroup);
  app.add_flag("--prediction-decay", options_.prediction_decay,
               "predictions include adamw's weight decay")
      ->group(kPredictionGroup);
  app.add_option_function<std::string>(
         "--xpipe-adam",
         [this](const std::string& word) {
           options_.constant_correction =
               ChoiceIndex("--xpipe-adam", word, {"corrected", "constant"}) == 1;
         },
         "bias correction in predictions: by the updates made, or XPipe's 1 - beta [corrected]")
      ->type_name("corrected|constant")
      ->group(kPredictionGroup);
}

OptimizerOptions OptimizerArguments::Options() const {
  OptimizerOptions options = options_;
  options.momentum = momentum_.value_or(TraitsOf(options.kind).usual_momentum);
  std::vector<Diagnostic> faults = CheckOptimizer(options);
  if (!faults.empty()) {
    throw UsageFailure(std::move(faults));
  }
  return options;
}

LearningRate OptimizerArguments::Rate() const {
  const std::string rates = rates_.value_or(fmt::format("{}", TraitsOf(options_.kind).usual_rate));
  Result<LearningRate> rate =
      ParseLearningRate(rates, schedule_.value_or("constant"), warmup_.value_or(0));
  if (!rate) {
    throw UsageFailure(std::move(rate.diagnostics));
  }
  return *std::move(rate.value);
}

}  // namespace stagecraft
