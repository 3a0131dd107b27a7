#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "schedules/op.h"

namespace stagecraft {

enum class Severity : std::uint8_t { kError, kWarning };

/// One fault in what a person or a file gave us: where it is, what was found, what was expected.
struct Diagnostic {
  Severity severity = Severity::kError;
  std::string where;        ///< `zb.sched:4:14`, `a.json`, `rank 2, op 7 (2B3)`; may be empty.
  std::string message;      ///< Lower-case start, no final period.
  std::string rule;         ///< Stable id of the verifier rule; empty elsewhere.
  std::string excerpt;      ///< Source line and caret, or a program grid; several lines or empty.
  std::optional<OpRef> op;  ///< The op at fault, when there is exactly one.
};

/// An error about the thing at `where` (file and line, file and JSON pointer, flag); may be empty.
inline Diagnostic ErrorAt(std::string where, std::string message) {
  Diagnostic fault;
  fault.where = std::move(where);
  fault.message = std::move(message);
  return fault;
}

inline Diagnostic WarningAt(std::string where, std::string message) {
  Diagnostic fault = ErrorAt(std::move(where), std::move(message));
  fault.severity = Severity::kWarning;
  return fault;
}

/// `where: error: message [rule]`, then the excerpt on lines of its own. No final newline.
std::string ToString(const Diagnostic& diagnostic);

/// True if any of `diagnostics` is an error (and not only a warning).
bool HasErrors(const std::vector<Diagnostic>& diagnostics);

/// The world failed, or a library caller asked for an exception instead of diagnostics.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Input that could not be used; `what()` holds every diagnostic, one per line.
class InputError : public Error {
 public:
  explicit InputError(std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// What reading or generating gave: a value unless an error is among `diagnostics`, which may
/// hold warnings beside a value.
template <typename T>
struct Result {
  std::optional<T> value;
  std::vector<Diagnostic> diagnostics;

  explicit operator bool() const { return value.has_value(); }
};

/// The value, or an `InputError` with all diagnostics.
template <typename T>
T OrThrow(Result<T> result) {
  if (!result.value) {
    throw InputError(std::move(result.diagnostics));
  }
  return *std::move(result.value);
}

}  // namespace stagecraft
