#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"

namespace stagecraft {

// Everything that the program says. Results go to stdout, warnings, errors and progress to stderr;
// colour only on a terminal, and not if NO_COLOR is set.

/// Results. If the reader has gone (a broken pipe) the rest is dropped quietly; any other fault,
/// such as a full disk, throws `CommandFailure`, here or in `FlushOutput`.
void Print(std::string_view text);
void FlushOutput();

/// Diagnostics to stderr, one below the other.
void PrintDiagnostics(const std::vector<Diagnostic>& diagnostics);

/// `text` in green or red if stdout is a terminal.
std::string Good(std::string_view text);
std::string Bad(std::string_view text);

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
  std::chrono::steady_clock::time_point begin_;
  bool shown_ = false;
};

}  // namespace stagecraft
