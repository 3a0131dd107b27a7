#include "schedules/diagnostic.h"

#include <algorithm>

namespace stagecraft {
namespace {

std::string Join(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!text.empty()) {
      text += '\n';
    }
    text += ToString(diagnostic);
  }
  return text;
}

}  // namespace

std::string ToString(const Diagnostic& diagnostic) {
  std::string text;
  if (!diagnostic.where.empty()) {
    text += diagnostic.where + ": ";
  }
  text += diagnostic.severity == Severity::kError ? "error: " : "warning: ";
  text += diagnostic.message;
  if (!diagnostic.rule.empty()) {
    text += " [" + diagnostic.rule + "]";
  }
  if (!diagnostic.excerpt.empty()) {
    text += "\n" + diagnostic.excerpt;
  }
  return text;
}

bool HasErrors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

InputError::InputError(std::vector<Diagnostic> diagnostics)
    : Error(Join(diagnostics)), diagnostics_(std::move(diagnostics)) {}

}  // namespace stagecraft
