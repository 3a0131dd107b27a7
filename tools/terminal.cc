#include "tools/terminal.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "tools/command.h"

namespace stagecraft {
namespace {

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";

bool HasColour(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(descriptor) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

std::string Coloured(std::string_view text, std::string_view colour, int descriptor) {
  return HasColour(descriptor) ? fmt::format("{}{}{}", colour, text, kPlain) : std::string(text);
}

void CheckOutput(bool good) {
  if (good || errno == EPIPE) {
    return;
  }
  throw CommandFailure(ExitCode::kFailed, "standard output",
                       "writing failed: " + std::generic_category().message(errno));
}

std::string Painted(const Diagnostic& diagnostic) {
  std::string text = ToString(diagnostic);
  const bool error = diagnostic.severity == Severity::kError;
  const std::string_view word = error ? "error:" : "warning:";
  const std::size_t at = text.find(word);
  if (at != std::string::npos) {
    text.replace(at, word.size(), Coloured(word, error ? kRed : kYellow, STDERR_FILENO));
  }
  return text;
}

}  // namespace

void Print(std::string_view text) {
  errno = 0;
  CheckOutput(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
}

void FlushOutput() {
  errno = 0;
  CheckOutput(std::fflush(stdout) == 0);
}

void PrintDiagnostics(const std::vector<Diagnostic>& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics) {
    fmt::print(stderr, "{}\n", Painted(diagnostic));
  }
}

std::string Good(std::string_view text) {
  return Coloured(text, kGreen, STDOUT_FILENO);
}
std::string Bad(std::string_view text) {
  return Coloured(text, kRed, STDOUT_FILENO);
}

Progress::Progress() : begin_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (shown_) {
    std::fputs("\r\x1b[K", stderr);
  }
}

void Progress::Begin(std::string_view step) {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin_;
  if (passed.count() > 2 && isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "\r\x1b[K{} ... ({:.0f} s so far)", step, passed.count());
    shown_ = true;
  }
}

}  // namespace stagecraft
