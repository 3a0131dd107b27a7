#include "tools/arguments/option_flags.h"

#include <algorithm>
#include <array>
#include <utility>

#include "schedules/option_check.h"

namespace stagecraft {
namespace {

using OptionFlag = std::pair<std::string_view, std::string_view>;

/// Options whose flag is not simply their name.
constexpr auto kShortFlags = std::to_array<OptionFlag>(
    {{"ranks", "-p"}, {"microbatches", "-m"}, {"batches", "-n"}, {"type", "--dtype"}});

/// What the searched schedules are told beside the options that others take, too.
constexpr auto kOfSearches = std::to_array<std::string_view>({"activation", "memory"});

}  // namespace

std::string FlagCalled(std::string_view option) {
  std::string flag = "--" + std::string(option);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

std::string FlagOf(std::string_view option) {
  const auto found = std::ranges::find(kShortFlags, option, &OptionFlag::first);
  if (found != kShortFlags.end()) {
    return std::string(found->second);
  }

  const bool is_known =
      std::ranges::find(kOfSearches, option) != kOfSearches.end() ||
      std::ranges::find(AllOptionTraits(), option, &OptionTraits::name) != AllOptionTraits().end();
  if (!is_known) {
    return "";
  }
  // Flags are written with dashes, options with underscores.
  return FlagCalled(option);
}

std::string WithFlags(std::string_view text) {
  std::string out;
  for (std::size_t begin = text.find('`'); begin != std::string_view::npos;
       begin = text.find('`')) {
    const std::size_t end = text.find('`', begin + 1);
    if (end == std::string_view::npos) {
      break;
    }

    // A quoted word that is no option stays quoted.
    const std::string_view quoted = text.substr(begin, end + 1 - begin);
    const std::string flag = FlagOf(quoted.substr(1, quoted.size() - 2));
    out += text.substr(0, begin);
    out += flag.empty() ? std::string(quoted) : flag;
    text.remove_prefix(end + 1);
  }

  return out + std::string(text);
}

std::vector<Diagnostic> WithFlags(std::vector<Diagnostic> diagnostics) {
  for (Diagnostic& diagnostic : diagnostics) {
    diagnostic.message = WithFlags(diagnostic.message);
  }
  return diagnostics;
}

}  // namespace stagecraft
