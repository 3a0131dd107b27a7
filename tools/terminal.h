#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "schedules/diagnostic.h"

namespace stagecraft {

// Everything that the program says. Results go to stdout, warnings, errors and progress to stderr;
// colour only on a terminal, and not if NO_COLOR is set. What a terminal would obey is shown as
// escapes, whoever wrote it (`VisibleLines`); line breaks are ours, so a name from outside that
// goes into a text is made `Visible` first.

/// Makes sure that descriptors 0 to 2 are taken, as the first thing that the program does: a file
/// that is opened later must not become the stderr that the caller had closed. Reading or writing
/// one that was closed fails, as before.
void HoldStandardFiles();

/// Green says that something is right, red that it is wrong.
enum class Colour { kNone, kGreen, kRed };

/// Results for a person. If the reader has gone (a broken pipe) the rest is dropped quietly; any
/// other fault, such as a full disk, throws `CommandFailure`, here or in `FlushOutput`.
void Print(std::string_view text, Colour colour = Colour::kNone);

/// Results for a program, such as a schedule or CSV: byte by byte, unless stdout is a terminal.
void PrintData(std::string_view bytes);

/// JSON on lines of its own, in plain ASCII; what is no UTF-8 in it is replaced.
void PrintJson(const nlohmann::ordered_json& json);

/// Call it before the program ends, so that a full disk is noticed. Throws as `Print` does.
void FlushOutput();

/// Characters in a line of the terminal that stdout is: COLUMNS if that is exported, else what the
/// terminal says, else 80. Nothing if stdout is no terminal.
std::optional<std::size_t> OutputColumns();

/// To stderr. That it is closed or full is no failure: there is nobody to tell.
void PrintError(std::string_view text);

/// Diagnostics to stderr, one below the other.
void PrintDiagnostics(const std::vector<Diagnostic>& diagnostics);

/// A line on stderr that the next one replaces, if stderr is a terminal; empty: none any more.
void ShowProgressLine(std::string_view text);

/// Says on stderr what is going on, if it has been going on for more than two seconds and stderr
/// is a terminal.
class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// Begins a step, such as `simulating`.
  void Begin(std::string_view step);

 private:
  std::chrono::steady_clock::time_point begin_;  ///< When this object was made.
  bool shown_ = false;                           ///< Whether a line stands on the terminal.
};

}  // namespace stagecraft
