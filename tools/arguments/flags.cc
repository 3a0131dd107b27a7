#include "tools/arguments/flags.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/closest.h"
#include "tools/arguments/quantity.h"

namespace stagecraft {

CLI::Option* AddInteger(CLI::App& app, const std::string& flag, const IntegerFlag& kind,
                        std::optional<std::int32_t>& value, const std::string& description) {
  return app
      .add_option_function<std::string>(
          flag,
          [&value, flag, kind](const std::string& text) {
            value = FlagValue(flag, ParseInteger(text, kind.low, kind.high));
          },
          description)
      ->type_name(kind.type_name);
}

std::size_t ChoiceIndex(const std::string& flag, std::string_view word,
                        const std::vector<std::string_view>& names) {
  const auto found = std::find(names.begin(), names.end(), word);
  if (found == names.end()) {
    throw CLI::ValidationError(
        flag, fmt::format("expected {}, got '{}'{}", fmt::join(names, " or "), word,
                          DidYouMean(word, names)));
  }
  return static_cast<std::size_t>(found - names.begin());
}

CLI::Option* AddChoiceOf(CLI::App& app, const std::string& flag,
                         const std::vector<std::string_view>& names,
                         std::function<void(std::size_t)> take, const std::string& description) {
  return app
      .add_option_function<std::string>(
          flag,
          [flag, names, take = std::move(take)](const std::string& word) {
            take(ChoiceIndex(flag, word, names));
          },
          description)
      ->type_name(fmt::format("{}", fmt::join(names, "|")));
}

std::vector<std::string_view> SplitAtCommas(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t comma = text.find(','); comma != std::string_view::npos;
       comma = text.find(',', begin)) {
    parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }

  // What stands behind the last comma, or everything.
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace stagecraft
