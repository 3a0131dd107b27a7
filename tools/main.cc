#include <algorithm>
#include <csignal>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schedules/closest.h"
#include "tools/arguments/help_page.h"
#include "tools/command.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

/// What can follow `stagecraft` on the command line.
struct CommandEntry {
  const char* name;
  const char* summary;                          ///< Its line in the list of commands.
  std::unique_ptr<Command> (*make)(CLI::App&);  ///< Declares the flags.
  const char* usual_flags;                      ///< Shown first in its help, in this order.
};

/// In the order of the help: from having a schedule to running it.
constexpr CommandEntry kCommands[] = {
    {"schedules", "list what can be generated", MakeSchedulesCommand, ""},
    {"generate", "write a schedule file", MakeGenerateCommand, "-p -m -n -o --template"},
    {"convert", "read and write torch.distributed.pipelining's schedule files", MakeConvertCommand,
     "-p -m -n --to --place"},
    {"check", "verify a schedule in all three send modes, and limits", MakeCheckCommand,
     "-p -m --send --max-memory --json"},
    {"show", "draw a schedule; versions, staleness, weight copies, memory", MakeShowCommand,
     "-p -m --versions --updates --columns"},
    {"simulate", "predict when each op runs", MakeSimulateCommand,
     "-p -m --forward --backward --profile --diagram"},
    {"compare", "many approaches on the same costs: a table", MakeCompareCommand,
     "-p -m -n --all --profile"},
    {"explain", "why it takes this long, and what to fix first", MakeExplainCommand,
     "-p -m --forward --backward --profile"},
    {"profile", "measure what a model costs on this machine (LibTorch)", MakeProfileCommand,
     "--model --microbatches --microbatch-size --device --output"},
    {"train", "execute a schedule on a real model (LibTorch)", MakeTrainCommand,
     "-p -m --model --epochs --save"},
    {"validate", "run it in real time, and compare with the prediction", MakeValidateCommand,
     "-p -m --model --rehearse --runs"},
};

constexpr const char* kVersion = STAGECRAFT_VERSION;

/// A command with its part of the command line.
struct ParsedCommand {
  CLI::App* app = nullptr;
  std::unique_ptr<Command> command;
};

/// Declares every command. Words that CLI11 does not know are let through: `RefuseExtras` has more
/// to say about them.
std::vector<ParsedCommand> AddCommands(CLI::App& program) {
  std::vector<ParsedCommand> commands;
  for (const CommandEntry& entry : kCommands) {
    CLI::App* app = program.add_subcommand(entry.name, entry.summary);
    app->allow_extras();
    commands.push_back({app, entry.make(*app)});
  }
  return commands;
}

/// `; did you mean '--forward'?`, or where to read what there is.
std::string Hint(std::string_view word, const std::vector<std::string>& candidates,
                 const std::string& help) {
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  const std::string_view meant = Closest(word, views);
  return meant.empty() ? fmt::format("; see `{}`", help)
                       : fmt::format("; did you mean '{}'?", meant);
}

/// All spellings of the flags of `app`, with their dashes.
std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      flags.push_back("--" + name);
    }
    for (const std::string& name : option->get_snames()) {
      flags.push_back("-" + name);
    }
  }
  return flags;
}

std::string HelpCommand(const CLI::App& app) {
  return fmt::format("stagecraft {} --help", app.get_name());
}

/// Words that no flag or argument of the command took; unknown flags first, since what follows one
/// is often its value.
void RefuseExtras(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  for (const std::string& extra : extras) {
    if (extra.size() > 1 && extra.front() == '-') {
      const std::string flag = extra.substr(0, extra.find('='));
      throw CommandFailure(
          ExitCode::kUsage, "",
          fmt::format("unknown flag '{}'{}", flag, Hint(flag, FlagsOf(app), HelpCommand(app))));
    }
  }

  // What is left are words without a dash, the first of which is where things went wrong.
  if (!extras.empty()) {
    throw CommandFailure(
        ExitCode::kUsage, "",
        fmt::format("unexpected argument '{}'; see `{}`", extras.front(), HelpCommand(app)));
  }
}

/// Throws `CommandFailure` (usage) with the command that was probably meant.
[[noreturn]] void RefuseUnknownCommand(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const CommandEntry& entry : kCommands) {
    names.emplace_back(entry.name);
  }
  const std::string word = words.empty() ? "" : words.front();
  throw CommandFailure(ExitCode::kUsage, "",
                       fmt::format("unknown {} '{}'{}", word.starts_with('-') ? "flag" : "command",
                                   word, Hint(word, names, "stagecraft --help")));
}

/// The command that was asked for, its flags read; throws what CLI11 throws.
Command& Parse(CLI::App& program, std::vector<ParsedCommand>& commands,
               std::vector<std::string> words) {
  program.parse(std::move(words));
  for (ParsedCommand& parsed : commands) {
    if (parsed.app->parsed()) {
      RefuseExtras(*parsed.app);
      return *parsed.command;
    }
  }
  RefuseUnknownCommand(program.remaining());
}

/// Declares what belongs to no single command: help, version and the text below them.
void SetUp(CLI::App& program) {
  HelpFormatter::UsualFlags usual;
  for (const CommandEntry& entry : kCommands) {
    usual[entry.name] = entry.usual_flags;
  }
  // Subcommands inherit the formatter, so that it has to know the usual flags of all.
  program.formatter(std::make_shared<HelpFormatter>(std::move(usual)));
  program.set_help_flag("-h,--help", "this page; behind a command: that command's");
  program.set_version_flag("-V,--version", kVersion, "the version");
  program.allow_extras();
  program.footer(R"(`stagecraft COMMAND --help` has examples and the usual flags; `stagecraft
COMMAND NAME --help` has the flags that matter for the schedule NAME; `--help=all` has every flag.

Exit codes: 0 fine; 1 verification, a limit or a baseline failed; 2 bad usage or input; 3 failed
while running.
)");
}

/// `help COMMAND` and `version`, for those who expect them, as flags. Words come last one first.
void TurnIntoFlags(std::vector<std::string>& words) {
  if (words.back() == "help") {
    words.back() = "--help";
    std::rotate(words.rbegin(), words.rbegin() + 1, words.rend());
  } else if (words.size() == 1 && words.back() == "version") {
    words.back() = "--version";
  }
}

/// Reads the command line and runs its command. `words` come last one first, as CLI11 takes them.
ExitCode RunProgram(std::vector<std::string> words) {
  CLI::App program("Pipeline-parallel training schedules: generate, verify, simulate, compare.",
                   "stagecraft");
  SetUp(program);
  std::vector<ParsedCommand> commands = AddCommands(program);

  // Without a command the help is shown, but as bad usage.
  if (words.empty()) {
    PrintError(program.help());
    return ExitCode::kUsage;
  }

  TurnIntoFlags(words);

  // CLI11 says by exceptions what it found, and does not see words that are left over.
  try {
    return Parse(program, commands, std::move(words)).Run();
  } catch (const CLI::CallForHelp&) {
    Print(program.help());
  } catch (const CLI::CallForVersion&) {
    Print(fmt::format("stagecraft {}\n", kVersion));
  } catch (const CLI::ParseError& error) {
    const std::vector<CLI::App*> chosen = program.get_subcommands();
    if (chosen.empty()) {
      throw CommandFailure(ExitCode::kUsage, "", error.what());
    }
    // An unknown flag explains the fault better than what CLI11 makes of the words behind it.
    RefuseExtras(*chosen.front());
    throw CommandFailure(ExitCode::kUsage, "",
                         fmt::format("{}; see `{}`", error.what(), HelpCommand(*chosen.front())));
  }

  return ExitCode::kFine;
}

/// Every way to fail, as an exit code and a line on stderr.
ExitCode RunAndReport(std::vector<std::string> words) {
  try {
    const ExitCode code = RunProgram(std::move(words));
    FlushOutput();
    return code;
  } catch (const CommandFailure& failure) {
    PrintDiagnostics(failure.Diagnostics());
    return failure.Code();
  } catch (const InputError& error) {
    PrintDiagnostics(error.diagnostics());
    return ExitCode::kUsage;
  } catch (const std::bad_alloc&) {
    PrintError("error: not enough memory\n");
  } catch (const std::exception& error) {
    PrintError(fmt::format("error: {}\n", error.what()));
  }

  return ExitCode::kFailed;
}

}  // namespace
}  // namespace stagecraft

int main(int argc, char** argv) {
  stagecraft::HoldStandardFiles();
  // A reader that goes away makes writing fail with EPIPE, which `Print` takes for an end.
  std::signal(SIGPIPE, SIG_IGN);
  // CLI11 takes the words last one first.
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return static_cast<int>(
      stagecraft::RunAndReport(std::vector<std::string>(words.rbegin(), words.rend())));
}
