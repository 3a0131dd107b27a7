#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schedules/diagnostic.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
}

namespace stagecraft {

/// What the program tells its caller; the same in every command.
enum class ExitCode : int {
  kFine = 0,
  kRefused = 1,  ///< Parsed, but verification, the send mode, a limit or a baseline failed.
  kUsage = 2,    ///< Cannot be parsed, unknown flag, unusable path.
  kFailed = 3,   ///< Failed while running.
};

/// Ends a command early: its diagnostics are printed to stderr and `code` becomes the exit code.
class CommandFailure : public Error {
 public:
  /// `diagnostics` are printed in their order; the first one is what `what()` says.
  CommandFailure(ExitCode code, std::vector<Diagnostic> diagnostics);
  /// One diagnostic from a place (a flag, a file; may be empty) and a message.
  CommandFailure(ExitCode code, std::string where, std::string message);

  ExitCode Code() const { return code_; }
  const std::vector<Diagnostic>& Diagnostics() const { return diagnostics_; }

 private:
  ExitCode code_;  ///< Not `kFine`.
  std::vector<Diagnostic> diagnostics_;
};

/// One command of the program. It declares its flags when it is made and runs after parsing.
///
///   MakeShowCommand(app)   declares flags, each of which writes into a field
///   CLI11 parses           the fields have what was given
///   Run()                  reads, works, prints; an exit code or a `CommandFailure`
///
class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  /// Runs once, when the command line has been parsed. May throw `CommandFailure` in place of a
  /// code.
  virtual ExitCode Run() = 0;
};

// One file each: `commands/NAME.cc`. `app` is the command's own part of the command line.
std::unique_ptr<Command> MakeSchedulesCommand(CLI::App& app);
std::unique_ptr<Command> MakeGenerateCommand(CLI::App& app);
std::unique_ptr<Command> MakeConvertCommand(CLI::App& app);
std::unique_ptr<Command> MakeCheckCommand(CLI::App& app);
std::unique_ptr<Command> MakeShowCommand(CLI::App& app);
std::unique_ptr<Command> MakeSimulateCommand(CLI::App& app);
std::unique_ptr<Command> MakeCompareCommand(CLI::App& app);
std::unique_ptr<Command> MakeExplainCommand(CLI::App& app);
std::unique_ptr<Command> MakeProfileCommand(CLI::App& app);
std::unique_ptr<Command> MakeTrainCommand(CLI::App& app);
std::unique_ptr<Command> MakeValidateCommand(CLI::App& app);

}  // namespace stagecraft
