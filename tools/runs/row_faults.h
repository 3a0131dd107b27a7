#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schedules/generators.h"

namespace stagecraft {

/// What is wrong with the flags of a comparison for some of its rows, with the names of these.
class RowFaults {
 public:
  /// Lets `act` work for a row; of a `CommandFailure` the diagnostics are kept.
  void Try(const std::string& row, const std::function<void()>& act);

  /// Throws `CommandFailure` (usage) with what was kept, each once for all of its rows.
  void ThrowIfAny() const;

 private:
  /// Rows by where and what.
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> rows_;
};

/// Lets `act` work for a row: its name stands before what a `CommandFailure` says of a flag.
void NameFaults(std::string_view row, const std::function<void()>& act);

/// An option that none of the approaches takes is a mistake, one that some take is theirs: throws
/// `CommandFailure` (usage) for the former.
void CheckTaken(const std::vector<std::string>& names, const GeneratorOptions& options);

}  // namespace stagecraft
