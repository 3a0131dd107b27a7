#include "tools/arguments/idle_flags.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schedules/schedule.h"
#include "tools/arguments/optimizer_arguments.h"

namespace stagecraft {

std::vector<IdleFlag> FlagsOfModel(const std::string& model, bool model_is_file,
                                   const std::string& data) {
  const bool data_is_file = data.ends_with(".safetensors");
  const bool is_digits = data == "digits";
  const bool is_tokens = data == "tokens";

  // An empty reason means that the flag has its effect.
  const std::string of_file =
      model_is_file ? fmt::format("{} says what the model is", model) : std::string();
  const std::string of_data = data_is_file
                                  ? fmt::format("{} has the micro-batches as they are", data)
                                  : fmt::format("the data are {}", data);
  return {{"--width", of_file},
          {"--depth", of_file},
          {"--heads", model_is_file || model == "gpt" ? of_file : "is of gpt"},
          {"--cut", model_is_file ? fmt::format("{} is cut already", model) : ""},
          {"--samples", data_is_file || is_digits ? of_data : ""},
          {"--length", is_tokens ? "" : of_data},
          {"--vocabulary", is_tokens ? "" : of_data},
          {"--microbatch-size", data_is_file ? of_data : ""}};
}

std::vector<IdleFlag> FlagsOfOptimizer(const OptimizerOptions& options, bool predicts) {
  std::vector<IdleFlag> flags;
  for (const OptimizerField& field : OptimizerFields()) {
    flags.push_back({FlagOfOptimizer(field.name), field.idle(options, predicts)});
  }
  return flags;
}

bool PredictsUpdates(const Schedule& schedule) {
  return std::any_of(schedule.programs.begin(), schedule.programs.end(),
                     [](const Program& program) {
                       return std::any_of(program.begin(), program.end(), [](const Op& op) {
                         return op.kind == OpKind::kPredict && op.horizon > 0;
                       });
                     });
}

std::vector<Diagnostic> WarnOfIdle(const CLI::App& app, const std::vector<IdleFlag>& flags) {
  std::vector<Diagnostic> warnings;
  for (const auto& [flag, reason] : flags) {
    const CLI::Option* const option = app.get_option_no_throw(flag);
    const bool was_given = option != nullptr && !option->empty();
    const bool is_said = !warnings.empty() && warnings.back().where == flag;
    if (was_given && !reason.empty() && !is_said) {
      Diagnostic& warning = warnings.emplace_back();
      warning.severity = Severity::kWarning;
      warning.where = flag;
      warning.message = "changes nothing here: " + reason;
    }
  }
  return warnings;
}

}  // namespace stagecraft
