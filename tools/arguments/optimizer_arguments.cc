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
#include "tools/command.h"

namespace stagecraft {
namespace {

const char* const kGroup = "Optimizer";
const char* const kPredictionGroup = "Weight prediction";
// What holds without the flags; each flag's help names it, too.
constexpr double kDefaultSgdRate = 0.02;
constexpr double kDefaultSgdMomentum = 0.9;
constexpr double kDefaultAdamRate = 0.001;

/// Only rejects what is not a number: ranges are checked by `CheckOptimizer`.
Result<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value)) {
    return {value, {}};
  }
  Diagnostic diagnostic;
  diagnostic.message = fmt::format("expected a number, such as 0.9, got '{}'", text);
  return {std::nullopt, {std::move(diagnostic)}};
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

void OptimizerArguments::AddTo(CLI::App& app) {
  AddChoice(app, "--optimizer", {"sgd", "adam", "adamw"}, options_.kind,
            "what updates the weights [sgd]")
      ->group(kGroup);
  app.add_option(
         "--lr", rates_,
         "learning rate, or one per update, the last of which holds for all later ones [sgd: 0.02; "
         "adam, adamw: 0.001]")
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

  AddNumber(
      app, "--momentum", [this](double value) { momentum_ = value; }, "momentum of sgd [0.9]");
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

  AddChoice(app, "--displacement", {"last", "next"}, options_.displacement,
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
  const bool is_sgd = options.kind == OptimizerKind::kSgd;
  options.momentum = momentum_.value_or(is_sgd ? kDefaultSgdMomentum : 0);
  std::vector<Diagnostic> faults = CheckOptimizer(options);
  if (!faults.empty()) {
    throw CommandFailure(ExitCode::kUsage, std::move(faults));
  }
  return options;
}

LearningRate OptimizerArguments::Rate() const {
  const bool is_sgd = options_.kind == OptimizerKind::kSgd;
  const std::string rates =
      rates_.value_or(fmt::format("{}", is_sgd ? kDefaultSgdRate : kDefaultAdamRate));
  Result<LearningRate> rate =
      ParseLearningRate(rates, schedule_.value_or("constant"), warmup_.value_or(0));
  if (!rate) {
    throw CommandFailure(ExitCode::kUsage, std::move(rate.diagnostics));
  }
  return *std::move(rate.value);
}

}  // namespace stagecraft
