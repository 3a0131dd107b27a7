#include "tools/terminal.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/visible_text.h"
#include "tools/arguments/quantity.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

// ECMA-48, "select graphic rendition".
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";

/// Whether to write colour there: on a terminal, unless NO_COLOR is set and not empty.
bool HasColour(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(descriptor) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

/// The control sequence that begins text of that colour.
std::string_view CodeOf(Colour colour) {
  return colour == Colour::kGreen ? kGreen : kRed;
}

/// Throws `CommandFailure` if writing to stdout failed, unless the reader has gone (EPIPE).
void CheckOutput(bool good) {
  if (good || errno == EPIPE) {
    return;
  }
  throw CommandFailure(ExitCode::kFailed, "standard output",
                       "writing failed: " + std::generic_category().message(errno));
}

/// Bytes to stdout as they are.
void Write(std::string_view bytes) {
  errno = 0;
  CheckOutput(std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size());
}

/// Bytes to stderr as they are, since control sequences of our own are among them.
void WriteError(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stderr);
}

/// Indents all lines but the first, so that no line of an exception's text looks like a diagnostic.
std::string Indented(const std::string& text) {
  std::string indented;
  for (const char c : text) {
    indented += c;
    indented += c == '\n' ? "  " : "";
  }
  return indented;
}

/// `ToString` of a diagnostic, safe for a terminal: place and rule stay on one line; message and
/// excerpt may have several, of which none passes for another diagnostic.
std::string Shown(Diagnostic diagnostic) {
  for (std::string* part : {&diagnostic.where, &diagnostic.rule}) {
    *part = Visible(*part);
  }
  diagnostic.message = Indented(VisibleLines(diagnostic.message));
  diagnostic.excerpt = VisibleLines(diagnostic.excerpt);

  // Only the word is coloured, which stands behind the place and its colon.
  std::string text = ToString(diagnostic);
  const bool error = diagnostic.severity == Severity::kError;
  const std::string_view word = error ? "error:" : "warning:";
  const std::size_t at = diagnostic.where.empty() ? 0 : diagnostic.where.size() + 2;

  if (HasColour(STDERR_FILENO)) {
    text.replace(at, word.size(), fmt::format("{}{}{}", error ? kRed : kYellow, word, kPlain));
  }
  return text;
}

}  // namespace

void HoldStandardFiles() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) {
      // Opened the wrong way round, so that using it still fails. `open` takes the lowest free
      // descriptor, which is this one.
      static_cast<void>(open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY));
    }
  }
}

void Print(std::string_view text, Colour colour) {
  const std::string shown = VisibleLines(text);
  const bool coloured = colour != Colour::kNone && HasColour(STDOUT_FILENO);
  Write(coloured ? fmt::format("{}{}{}", CodeOf(colour), shown, kPlain) : shown);
}

void PrintData(std::string_view bytes) {
  // A program that reads gets every byte; a terminal must not obey any.
  if (isatty(STDOUT_FILENO) == 1) {
    Write(VisibleLines(bytes));
  } else {
    Write(bytes);
  }
}

void PrintJson(const nlohmann::ordered_json& json) {
  using Json = nlohmann::ordered_json;
  Write(json.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n");
}

void FlushOutput() {
  errno = 0;
  CheckOutput(std::fflush(stdout) == 0);
}

std::optional<std::size_t> OutputColumns() {
  if (isatty(STDOUT_FILENO) != 1) {
    return std::nullopt;
  }

  // What the user exports comes before what the terminal says of itself.
  constexpr std::int32_t kMost = 100'000;
  if (const char* const columns = std::getenv("COLUMNS"); columns != nullptr) {
    if (const Result<std::int32_t> given = ParseInteger(columns, 1, kMost)) {
      return static_cast<std::size_t>(*given.value);
    }
  }

  winsize size{};
  constexpr std::size_t kUsual = 80;
  const bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? std::size_t{size.ws_col} : kUsual;
}

void PrintError(std::string_view text) {
  WriteError(VisibleLines(text));
}

void PrintDiagnostics(const std::vector<Diagnostic>& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics) {
    WriteError(Shown(diagnostic) + "\n");
  }
}

void ShowProgressLine(std::string_view text) {
  if (isatty(STDERR_FILENO) == 1) {
    WriteError(fmt::format("\r\x1b[K{}", Visible(text)));
  }
}

Progress::Progress() : begin_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (shown_) {
    ShowProgressLine("");
  }
}

void Progress::Begin(std::string_view step) {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin_;
  if (passed.count() > 2) {
    ShowProgressLine(fmt::format("{} ... ({:.0f} s so far)", step, passed.count()));
    shown_ = true;
  }
}

}  // namespace stagecraft
