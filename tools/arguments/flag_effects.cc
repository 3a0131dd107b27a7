#include "tools/arguments/flag_effects.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schedules/option_check.h"
#include "schedules/registry.h"
#include "tools/arguments/idle_flags.h"
#include "tools/arguments/inline_costs.h"
#include "tools/arguments/named_model.h"
#include "tools/arguments/option_flags.h"

namespace stagecraft {
namespace {

/// The schedules that a command line names.
struct NamedSchedules {
  std::vector<const Generator*> generators;
  bool has_file = false;

  bool Any() const { return has_file || !generators.empty(); }
};

/// Looks at the positional arguments of every command: NAME|FILE, and the IN of `convert`.
NamedSchedules SchedulesNamedBy(const CLI::App& app) {
  NamedSchedules named;
  for (const char* const argument : {"NAME|FILE", "IN"}) {
    const CLI::Option* const option = app.get_option_no_throw(argument);
    if (option == nullptr) {
      continue;
    }

    // A word that names no generator is taken for a file.
    for (const std::string& word : option->results()) {
      const Generator* const generator = FindGenerator(word);
      named.has_file = named.has_file || generator == nullptr;
      if (generator != nullptr) {
        named.generators.push_back(generator);
      }
    }
  }

  return named;
}

/// A small schedule with every kind of op that `generator` can make; one without programs if none
/// is made for so few ranks.
Schedule SampleOf(const Generator& generator) {
  GeneratorOptions options;
  options.ranks = 4;
  options.microbatches = 8;
  if ((generator.takes & kTakesCheckpoint) != 0) {
    options.checkpoint = Checkpoint::kAll;
  }
  if ((generator.takes & kTakesReplicas) != 0) {
    options.replicas = {2, 2};
  }
  return Generate(generator.name, options).value.value_or(Schedule());
}

/// Adds the generators' flags that no named schedule takes.
void AddGeneratorFlags(const NamedSchedules& named, std::vector<IdleFlag>& idle) {
  for (const OptionTraits& option : AllOptionTraits()) {
    const bool is_taken =
        std::any_of(named.generators.begin(), named.generators.end(),
                    [&](const Generator* each) { return (each->takes & option.takes) != 0; });
    if (!is_taken) {
      idle.push_back({std::string(FlagOf(option.name)), "no schedule that is named takes it"});
    }
  }

  // Sizes are a generator's, repetitions a file's.
  for (const char* const flag : {"-p", "-m", "-n"}) {
    if (named.generators.empty()) {
      idle.push_back({flag, "a file says it"});
    }
  }

  if (!named.has_file) {
    idle.push_back({"--repeat", "is of files"});
  }
}

/// Costs one by one: given alone, each has all the effect that it can have.
void AddCostFlags(const std::vector<Schedule>& samples, std::vector<IdleFlag>& idle) {
  std::vector<InlineCosts> each;
  for (std::size_t i = 0; i < kDurationFlags.size(); ++i) {
    each.emplace_back().durations[i] = {Nanoseconds(1)};
  }
  for (std::size_t i = 0; i < kSizeFlags.size(); ++i) {
    each.emplace_back().sizes[i] = {1};
  }
  each.emplace_back().joined = {Nanoseconds(1)};

  // What has an effect on one of several schedules is no idle flag.
  for (const InlineCosts& given : each) {
    const bool is_idle = std::all_of(samples.begin(), samples.end(), [&](const Schedule& schedule) {
      return !IdleFlags(given, schedule).empty();
    });
    if (is_idle) {
      idle.push_back(IdleFlags(given, samples.front()).front());
    }
  }
}

/// The word that was given for `flag`, else `otherwise`.
std::string GivenFor(const CLI::App& app, const char* flag, const std::string& otherwise) {
  const CLI::Option* const option = app.get_option_no_throw(flag);
  return option == nullptr || option->empty() ? otherwise : option->results().back();
}

bool IsGiven(const CLI::App& app, const char* flag) {
  return !GivenFor(app, flag, "").empty();
}

/// An optimizer that is not named may be any, and one with a momentum and a decay.
void AddOptimizerFlags(const CLI::App& app, bool predicts, std::vector<IdleFlag>& idle) {
  std::vector<std::vector<IdleFlag>> by_kind;
  for (const OptimizerTraits& optimizer : AllOptimizers()) {
    const std::string name(optimizer.name);
    if (GivenFor(app, "--optimizer", name) == name) {
      OptimizerOptions options;
      options.kind = optimizer.kind;
      options.momentum = optimizer.has_momentum ? 0.5 : 0;
      options.weight_decay = 0.5;
      by_kind.push_back(FlagsOfOptimizer(options, predicts));
    }
  }

  // A flag that matters to one of the optimizers that are meant is not idle.
  for (std::size_t i = 0; !by_kind.empty() && i < by_kind.front().size(); ++i) {
    const bool is_idle = std::all_of(by_kind.begin(), by_kind.end(),
                                     [&](const auto& flags) { return !flags[i].reason.empty(); });
    if (is_idle) {
      idle.push_back(by_kind.front()[i]);
    }
  }
}

/// Adds the flags of model and data that the named ones have no use for.
void AddModelFlags(const CLI::App& app, std::vector<IdleFlag>& idle) {
  const std::string model = GivenFor(app, "--model", "mlp");
  const std::string data = GivenFor(app, "--data", model == "gpt" ? "tokens" : "digits");
  const bool is_file = IsModelFile(model);
  for (IdleFlag& flag : FlagsOfModel(model, is_file, data)) {
    if (!flag.reason.empty()) {
      idle.push_back(std::move(flag));
    }
  }
}

}  // namespace

std::optional<std::vector<IdleFlag>> FlagsWithoutEffect(const CLI::App& app) {
  const NamedSchedules named = SchedulesNamedBy(app);
  const bool names_model = IsGiven(app, "--model") || IsGiven(app, "--data");
  if (!named.Any() && !names_model && !IsGiven(app, "--optimizer")) {
    return std::nullopt;
  }

  std::vector<IdleFlag> idle;
  if (named.Any()) {
    AddGeneratorFlags(named, idle);
  }

  // What ops there are tells which costs matter; a file may hold any.
  std::vector<Schedule> samples;
  for (const Generator* const generator : named.generators) {
    samples.push_back(SampleOf(*generator));
  }
  if (named.Any() && !named.has_file) {
    AddCostFlags(samples, idle);
  }

  const bool predicts = !named.Any() || named.has_file ||
                        std::any_of(samples.begin(), samples.end(), PredictsUpdates);
  AddOptimizerFlags(app, predicts, idle);
  if (names_model) {
    AddModelFlags(app, idle);
  }
  return idle;
}

}  // namespace stagecraft
