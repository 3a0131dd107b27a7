#include "tools/command.h"

#include <utility>

namespace stagecraft {
namespace {

Diagnostic MakeDiagnostic(std::string where, std::string message) {
  Diagnostic diagnostic;
  diagnostic.where = std::move(where);
  diagnostic.message = std::move(message);
  return diagnostic;
}

/// What `what()` says, for whoever catches it as an `Error`.
std::string FirstLine(const std::vector<Diagnostic>& diagnostics) {
  return diagnostics.empty() ? "failed" : ToString(diagnostics.front());
}

}  // namespace

CommandFailure::CommandFailure(ExitCode code, std::vector<Diagnostic> diagnostics)
    : Error(FirstLine(diagnostics)), code_(code), diagnostics_(std::move(diagnostics)) {}

CommandFailure::CommandFailure(ExitCode code, std::string where, std::string message)
    : CommandFailure(code, {MakeDiagnostic(std::move(where), std::move(message))}) {}

}  // namespace stagecraft
