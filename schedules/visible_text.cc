#include "schedules/visible_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

namespace stagecraft {
namespace {

/// A character at the front of a text. `bytes` is 0 if what stands there is no UTF-8.
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;
};

/// The table of well-formed UTF-8: how a character begins, and the least it may then be.
struct Form {
  unsigned char mask;
  unsigned char lead;
  std::size_t bytes;
  std::uint32_t least;
};
constexpr std::array<Form, 4> kForms{
    {{0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}}};

Character FirstOf(std::string_view text) {
  constexpr std::uint32_t kLargest = 0x10ffff;
  const auto lead = static_cast<unsigned char>(text.front());
  for (const Form& form : kForms) {
    if ((lead & form.mask) != form.lead || text.size() < form.bytes) {
      continue;
    }

    std::uint32_t code = lead & static_cast<unsigned char>(~form.mask);
    for (std::size_t i = 1; i < form.bytes; ++i) {
      const auto next = static_cast<unsigned char>(text[i]);
      if ((next & 0xc0U) != 0x80U) {
        return {};
      }
      code = code << 6U | (next & 0x3fU);
    }

    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < form.least || code > kLargest || surrogate ? Character{}
                                                             : Character{code, form.bytes};
  }
  return {};
}

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};
/// Controls, and Unicode's format characters without the two joiners that writing needs.
constexpr std::array<Range, 12> kHidden{{{0x00, 0x1f},
                                         {0x7f, 0x9f},
                                         {0x61c, 0x61c},
                                         {0x180e, 0x180e},
                                         {0x200b, 0x200b},
                                         {0x200e, 0x200f},
                                         {0x2028, 0x202e},
                                         {0x2060, 0x206f},
                                         {0xfeff, 0xfeff},
                                         {0xfff9, 0xfffb},
                                         {0xfffe, 0xffff},
                                         {0xe0000, 0xe007f}}};

bool IsHidden(std::uint32_t code) {
  return std::any_of(kHidden.begin(), kHidden.end(),
                     [&](const Range& range) { return code >= range.first && code <= range.last; });
}

std::string Escape(std::uint32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return code <= 0x7f     ? fmt::format("\\x{:02x}", code)
             : code <= 0xffff ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
  }
}

/// The first character of `text`, which it drops, as it is shown.
std::string TakeShown(std::string_view& text) {
  const Character character = FirstOf(text);
  const std::size_t bytes = std::max<std::size_t>(character.bytes, 1);
  const std::string_view as_it_is = text.substr(0, bytes);
  text.remove_prefix(bytes);
  if (character.bytes == 0) {
    return fmt::format("\\x{:02x}", static_cast<unsigned char>(as_it_is.front()));
  }
  return IsHidden(character.code) ? Escape(character.code) : std::string(as_it_is);
}

}  // namespace

std::string Visible(std::string_view text, std::size_t most) {
  std::string shown;
  while (!text.empty()) {
    const std::string next = TakeShown(text);
    if (next.size() > most - std::min(most, shown.size())) {
      return shown + "...";
    }
    shown += next;
  }
  return shown;
}

std::string VisibleLines(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const char first = text.front();
    if ((first >= ' ' && first <= '~') || first == '\n') {
      shown += first;
      text.remove_prefix(1);
    } else {
      shown += TakeShown(text);
    }
  }
  return shown;
}

std::size_t ShownWidth(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

std::string CaretExcerpt(std::string_view line, std::size_t column) {
  constexpr std::size_t kBefore = 50;
  constexpr std::size_t kBehind = 40;
  const auto shown = [](std::string_view part) {
    std::string text(part);
    std::replace(text.begin(), text.end(), '\t', ' ');
    return Visible(text);
  };

  // A long line is cut between characters.
  const auto continues = [&](std::size_t at) {
    return at < line.size() && (static_cast<unsigned char>(line[at]) & 0xc0U) == 0x80U;
  };

  const std::size_t at = std::min(column, line.size());
  std::size_t begin = at > kBefore ? at - kBefore : 0;
  while (begin < at && continues(begin)) {
    ++begin;
  }
  std::size_t end = std::min(line.size(), at + kBehind);
  while (end > at && continues(end)) {
    --end;
  }

  const std::string before = (begin > 0 ? "..." : "") + shown(line.substr(begin, at - begin));
  const std::string behind = shown(line.substr(at, end - at)) + (end < line.size() ? "..." : "");
  return fmt::format("  {}{}\n  {}^", before, behind, std::string(ShownWidth(before), ' '));
}

}  // namespace stagecraft
