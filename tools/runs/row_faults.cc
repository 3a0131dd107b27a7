#include "tools/runs/row_faults.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/diagnostic.h"
#include "schedules/option_check.h"
#include "schedules/registry.h"
#include "tools/arguments/option_flags.h"
#include "tools/command.h"

namespace stagecraft {

void RowFaults::Try(const std::string& row, const std::function<void()>& act) {
  try {
    act();
  } catch (const CommandFailure& failure) {
    for (const Diagnostic& fault : failure.Diagnostics()) {
      rows_[{fault.where, fault.message}].push_back(row);
    }
  }
}

void RowFaults::ThrowIfAny() const {
  std::vector<Diagnostic> faults;
  for (const auto& [fault, rows] : rows_) {
    const auto& [where, message] = fault;
    faults.push_back(ErrorAt(
        fmt::format("{}{}{}", fmt::join(rows, ", "), where.empty() ? "" : ": ", where), message));
  }
  if (!faults.empty()) {
    throw CommandFailure(ExitCode::kUsage, std::move(faults));
  }
}

void NameFaults(std::string_view row, const std::function<void()>& act) {
  try {
    act();
  } catch (const CommandFailure& failure) {
    std::vector<Diagnostic> faults = failure.Diagnostics();
    for (Diagnostic& fault : faults) {
      fault.where = fmt::format(
          "{}{}", fault.where.starts_with("--") ? fmt::format("{}: ", row) : "", fault.where);
    }
    throw CommandFailure(failure.Code(), std::move(faults));
  }
}

void CheckTaken(const std::vector<std::string>& names, const GeneratorOptions& options) {
  std::vector<Diagnostic> faults;
  for (const OptionTraits& option : AllOptionTraits()) {
    // A file takes nothing, but may have been made with the option.
    const bool taken = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      const Generator* generator = FindGenerator(name);
      return generator == nullptr || (generator->takes & option.takes) != 0;
    });

    if (option.is_given(options) && !taken) {
      faults.push_back(ErrorAt(
          names.back(),
          fmt::format("does not take {}; see `stagecraft schedules`", FlagOf(option.name))));
    }
  }

  if (!faults.empty()) {
    throw CommandFailure(ExitCode::kUsage, std::move(faults));
  }
}

}  // namespace stagecraft
