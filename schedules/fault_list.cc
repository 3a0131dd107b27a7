#include "schedules/fault_list.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "schedules/tables.h"

namespace stagecraft {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t DigitsEnd(std::string_view text, std::size_t at) {
  while (at < text.size() && IsDigit(text[at])) {
    ++at;
  }
  return at;
}

/// Behind the number that begins at `begin`: digits, a fraction, an exponent.
std::size_t NumberEnd(std::string_view text, std::size_t begin) {
  std::size_t end = DigitsEnd(text, begin);
  if (end + 1 < text.size() && text[end] == '.' && IsDigit(text[end + 1])) {
    end = DigitsEnd(text, end + 1);
  }
  if (end < text.size() && text[end] == 'e') {
    const bool is_signed = end + 1 < text.size() && (text[end + 1] == '-' || text[end + 1] == '+');
    const std::size_t digits = end + (is_signed ? 2 : 1);
    end = DigitsEnd(text, digits) > digits ? DigitsEnd(text, digits) : end;
  }
  return end;
}

/// A text, taken apart: what is left without its numbers, the numbers, and where each began.
struct Numbered {
  std::string key;
  std::vector<std::string> numbers;
  Table<std::size_t> begins;
};

Numbered TakeApart(std::string_view text) {
  Numbered apart;
  for (std::size_t at = 0; at < text.size();) {
    const bool minus = text[at] == '-' && at + 1 < text.size() && IsDigit(text[at + 1]);
    if (!minus && !IsDigit(text[at])) {
      apart.key += text[at++];
      continue;
    }

    // In the key all numbers look alike, so that faults which differ in them only share a group.
    const std::size_t end = NumberEnd(text, at + (minus ? 1 : 0));
    apart.key += '#';
    apart.numbers.emplace_back(text.substr(at, end - at));
    apart.begins.push_back(at);
    at = end;
  }
  return apart;
}

/// What the number behind `before` counts, in the plural: a line if `before` ends a file's name.
std::string NounOf(std::string_view before, bool in_place) {
  constexpr std::array<std::string_view, 7> kNouns = {"layers", "stages", "ranks", "rows",
                                                      "places", "lines",  "cells"};
  const bool behind_colon = before.ends_with(':');
  while (!before.empty() &&
         std::string_view(" /:'").find(before.back()) != std::string_view::npos) {
    before.remove_suffix(1);
  }
  for (const std::string_view noun : kNouns) {
    if (before.ends_with(noun) || before.ends_with(noun.substr(0, noun.size() - 1))) {
      return std::string(noun);
    }
  }
  return in_place && behind_colon ? "lines" : "";
}

}  // namespace

void FaultList::Add(Diagnostic fault) {
  const std::string text = fault.where + '\n' + fault.message;
  Numbered apart = TakeApart(text);
  const std::string key =
      fmt::format("{} {} {}", static_cast<int>(fault.severity), fault.rule, apart.key);

  // A new one, if there is room for it.
  const auto known = places_.find(key);
  if (known == places_.end() && Full()) {
    ++hidden_;
    return;
  }
  if (known == places_.end()) {
    places_.emplace(key, groups_.size());
    groups_.push_back({std::move(fault), 0, std::move(apart.numbers), kNone, ""});
    return;
  }

  // The second of a kind shows which number it is that changes.
  Group& group = groups_[known->second];
  if (group.more == 0) {
    const auto changed = std::mismatch(group.last.begin(), group.last.end(), apart.numbers.begin());
    if (changed.first != group.last.end()) {
      group.differs = static_cast<std::size_t>(changed.first - group.last.begin());
      const std::size_t at = apart.begins[group.differs];
      group.noun = NounOf(std::string_view(text).substr(0, at), at < fault.where.size());
    }
  }

  Count(group, std::move(apart.numbers));
}

void FaultList::Count(Group& group, std::vector<std::string> numbers) {
  if (group.differs != kNone && group.last[group.differs] == numbers[group.differs]) {
    group.noun.clear();  // Several in one layer: their number is not that of the layers.
  }
  ++group.more;
  group.last = std::move(numbers);
}

std::vector<Diagnostic> FaultList::Take() {
  std::vector<Diagnostic> faults;
  for (Group& group : groups_) {
    Diagnostic& fault = faults.emplace_back(std::move(group.first));
    if (group.more == 0) {
      continue;
    }

    if (group.more == 1 && !group.noun.empty()) {
      group.noun.pop_back();
    }

    // The fault now stands for several, so that the op of the first would mislead.
    fault.message +=
        fmt::format("; and {} more{}{}", group.more, group.noun.empty() ? "" : " ", group.noun);
    fault.op.reset();
  }

  if (hidden_ > 0) {
    Diagnostic& rest = faults.emplace_back();
    rest.where = file_;
    rest.message = fmt::format("and {} more fault{}", hidden_, hidden_ == 1 ? "" : "s");
  }

  // The list may be filled again.
  groups_.clear();
  places_.clear();
  return faults;
}

}  // namespace stagecraft
