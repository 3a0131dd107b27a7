#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schedules/option_check.h"
#include "schedules/registry.h"
#include "tools/command.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

std::string Parameters(const Generator& generator) {
  std::string text = "-p -m -n";
  for (const OptionTraits& option : AllOptionTraits()) {
    if ((generator.takes & option.takes) != 0) {
      text += " ";
      text += option.flag;
    }
  }
  return text;
}

class SchedulesCommand : public Command {
 public:
  ExitCode Run() override {
    for (const Generator& generator : Generators()) {
      Print(fmt::format("{:<19} {}\n", generator.name, generator.summary));
      Print(fmt::format("{:<19} bounded: {}\n", "", generator.bounded));
      Print(fmt::format("{:<19} options: {}\n", "", Parameters(generator)));
      if (!generator.source.empty()) {
        Print(fmt::format("{:<19} source: {}\n", "", generator.source));
      }
    }
    Print(
        "\np = D ranks, rank r of 0..D-1, m micro-batches per batch, n batches. A schedule that "
        "flushes steps\nafter each m; an asynchronous one sees one stream of m * n.\n");
    return ExitCode::kFine;
  }
};

}  // namespace

std::unique_ptr<Command> MakeSchedulesCommand(CLI::App& app) {
  app.footer("Examples:\n  stagecraft schedules\n");
  return std::make_unique<SchedulesCommand>();
}

}  // namespace stagecraft
