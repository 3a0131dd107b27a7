#pragma once

#include <string>
#include <utility>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// An error about the thing at `where` (file and line, file and JSON pointer); may be empty.
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

}  // namespace stagecraft
