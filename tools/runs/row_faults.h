#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schedules/generators.h"

namespace stagecraft {

/// Collects what is wrong with the flags of a comparison for some of its rows, so that each fault
/// is told once, with the names of all rows that have it:
///
///   1f1b, gpipe: --forward: error: expected 1 value, or 2 for 2 stages, got 3
class RowFaults {
 public:
  /// Runs `act` for a row, and keeps the diagnostics of a `CommandFailure`.
  void Try(const std::string& row, const std::function<void()>& act);

  /// Throws `CommandFailure` (usage) with what was kept, each once for all of its rows.
  void ThrowIfAny() const;

 private:
  /// The rows of each fault, by its place and message.
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> rows_;
};

/// Runs `act` for a row; where a `CommandFailure` objects to a flag, the row's name is put before
/// it.
void NameFaults(std::string_view row, const std::function<void()>& act);

/// An option that none of the approaches takes is a mistake, one that some take is theirs: throws
/// `CommandFailure` (usage) for the former.
void CheckTaken(const std::vector<std::string>& names, const GeneratorOptions& options);

}  // namespace stagecraft
