#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schedules/closest.h"
#include "schedules/option_check.h"
#include "schedules/registry.h"
#include "tools/arguments/option_flags.h"
#include "tools/command.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

/// The flags that the generator takes.
std::string Parameters(const Generator& generator) {
  std::string text = "-p -m -n";
  for (const OptionTraits& option : AllOptionTraits()) {
    if ((generator.takes & option.takes) != 0) {
      text += " ";
      text += FlagOf(option.name);
    }
  }
  return text;
}

void PrintEntry(const Generator& generator) {
  Print(fmt::format("{:<19} {}\n", generator.name, WithFlags(generator.summary)));
  Print(fmt::format("{:<19} bounded: {}\n", "", generator.bounded));
  if (!generator.bounded_otherwise.empty()) {
    Print(fmt::format("{:<19} but with {}\n", "", WithFlags(generator.bounded_otherwise)));
  }
  Print(fmt::format("{:<19} options: {}\n", "", Parameters(generator)));
  if (!generator.source.empty()) {
    Print(fmt::format("{:<19} source: {}\n", "", generator.source));
  }
}

/// `stagecraft schedules`: what can be generated, with bounds and sources.
class SchedulesCommand : public Command {
 public:
  explicit SchedulesCommand(CLI::App& app) {
    app.add_option("NAME", names_, "schedules to list [all]");
    app.footer("Examples:\n  stagecraft schedules\n  stagecraft schedules pipeoptim zb-auto\n");
  }

  ExitCode Run() override {
    std::vector<const Generator*> chosen;
    // A wrong name ends the command before anything is printed.
    for (const std::string& name : names_) {
      chosen.push_back(&NamedGenerator(name));
    }
    for (const Generator& generator : Generators()) {
      if (chosen.empty() || std::find(chosen.begin(), chosen.end(), &generator) != chosen.end()) {
        PrintEntry(generator);
      }
    }

    Print(
        "\np = D ranks, rank r of 0..D-1, m micro-batches per batch, n batches, v --chunks, g "
        "--group. A schedule\nthat flushes steps after each m; an asynchronous one sees one stream "
        "of m * n.\n"
        "Bounds hold on every rank or stage, with fewer micro-batches too. With an update every K "
        "micro-batches\na staleness of x becomes ceil(x / K), and pipedream keeps one copy more "
        "than that. With --replicas,\nD-1-r is the number of ranks behind the stage, shared among "
        "its R replicas, and each replica sees\nK / R micro-batches of an update, at least 1.\n");
    return ExitCode::kFine;
  }

 private:
  /// Throws `CommandFailure` (usage) with the name that was probably meant.
  static const Generator& NamedGenerator(const std::string& name) {
    if (const Generator* const generator = FindGenerator(name)) {
      return *generator;
    }
    std::vector<std::string_view> names;
    for (const Generator& generator : Generators()) {
      names.push_back(generator.name);
    }
    const std::string_view meant = Closest(name, names);
    throw CommandFailure(ExitCode::kUsage, "",
                         fmt::format("'{}' is not the name of a schedule{}", name,
                                     meant.empty() ? "; see `stagecraft schedules`"
                                                   : fmt::format("; did you mean '{}'?", meant)));
  }

  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<Command> MakeSchedulesCommand(CLI::App& app) {
  return std::make_unique<SchedulesCommand>(app);
}

}  // namespace stagecraft
