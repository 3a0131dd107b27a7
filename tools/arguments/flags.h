#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "schedules/diagnostic.h"

namespace stagecraft {

// Flags whose faults say what was found and what was expected. Each throws `CLI::ValidationError`
// while the command line is parsed.

/// The value, or the first diagnostic's message as an error of `flag`.
template <typename T>
T FlagValue(const std::string& flag, Result<T> result) {
  if (!result.value) {
    throw CLI::ValidationError(flag, result.diagnostics.front().message);
  }
  return *std::move(result.value);
}

/// The range of a whole number, and what the help calls it.
struct IntegerFlag {
  std::int32_t low = 0;   ///< The smallest that is accepted.
  std::int32_t high = 0;  ///< The largest that is accepted.
  std::string type_name;  ///< What the help calls the value, such as `N`.
};

/// Declares a flag for a whole number; `value` must live until the command line is parsed.
CLI::Option* AddInteger(CLI::App& app, const std::string& flag, const IntegerFlag& kind,
                        std::optional<std::int32_t>& value, const std::string& description);

/// Position of `word` in `names`; an error of `flag` with a did-you-mean if it is not there.
std::size_t ChoiceIndex(const std::string& flag, std::string_view word,
                        const std::vector<std::string_view>& names);

/// One of `names`, whose position `take` is given.
CLI::Option* AddChoiceOf(CLI::App& app, const std::string& flag,
                         const std::vector<std::string_view>& names,
                         std::function<void(std::size_t)> take, const std::string& description);

/// One of `names`; the i-th gives the enumerator of value i.
template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& flag,
                       const std::vector<std::string_view>& names, T& value,
                       const std::string& description) {
  return AddChoiceOf(
      app, flag, names, [&value](std::size_t index) { value = static_cast<T>(index); },
      description);
}

/// One of the names that stand beside the enum.
template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& flag, T& value,
                       const std::string& description) {
  return AddChoice(app, flag, NamesOf(value), value, description);
}
template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& flag, std::optional<T>& value,
                       const std::string& description) {
  return AddChoiceOf(
      app, flag, NamesOf(T()), [&value](std::size_t index) { value = static_cast<T>(index); },
      description);
}

/// The parts of `text` between commas; one empty part for an empty text.
std::vector<std::string_view> SplitAtCommas(std::string_view text);

}  // namespace stagecraft
