#pragma once

#include <cstdint>
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

/// What a whole number may be, and its name in the help.
struct IntegerFlag {
  std::int32_t low = 0;
  std::int32_t high = 0;
  std::string type_name;
};

CLI::Option* AddInteger(CLI::App& app, const std::string& flag, const IntegerFlag& kind,
                        std::optional<std::int32_t>& value, const std::string& description);

/// Position of `word` in `names`; an error of `flag` with a did-you-mean if it is not there.
std::size_t ChoiceIndex(const std::string& flag, std::string_view word,
                        const std::vector<std::string_view>& names);

/// One of `names`; the i-th gives the enumerator of value i.
template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& flag,
                       const std::vector<std::string_view>& names, T& value,
                       const std::string& description) {
  std::string type_name;
  for (const std::string_view name : names) {
    type_name += type_name.empty() ? "" : "|";
    type_name += name;
  }
  return app
      .add_option_function<std::string>(
          flag,
          [&value, flag, names](const std::string& word) {
            value = static_cast<T>(ChoiceIndex(flag, word, names));
          },
          description)
      ->type_name(type_name);
}

/// One of the names that stand beside the enum.
template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& flag, T& value,
                       const std::string& description) {
  return AddChoice(app, flag, NamesOf(value), value, description);
}

/// The parts of `text` between commas; one empty part for an empty text.
std::vector<std::string_view> SplitAtCommas(std::string_view text);

}  // namespace stagecraft
