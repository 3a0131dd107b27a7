#include "tools/arguments/wrapped_text.h"

#include <algorithm>
#include <vector>

namespace stagecraft {
namespace {

std::vector<std::string_view> WordsOf(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t begin = text.find_first_not_of(' '); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(' ', end);
  }
  return words;
}

/// Characters, of which UTF-8 spells some in several bytes.
std::size_t ColumnsOf(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

/// What stands where one line ends and the next begins, and columns that the former takes.
struct Break {
  std::string text;
  std::size_t columns_before = 0;  ///< Columns that it takes at the end of a line.
  std::size_t columns_behind = 0;  ///< Columns that it takes at the beginning of the next.
};

/// Fills lines of `width` columns with the words of `text`; the first begins at column `begin`.
std::string Filled(std::string_view text, std::size_t width, std::size_t begin, const Break& gap) {
  std::string out;
  std::size_t column = begin;
  bool is_first_of_line = true;

  for (const std::string_view word : WordsOf(text)) {
    const std::size_t columns = ColumnsOf(word);
    // A word that is too long for any line stands alone on one.
    if (!is_first_of_line && column + 1 + columns + gap.columns_before > width) {
      out += gap.text;
      column = gap.columns_behind;
      is_first_of_line = true;
    }

    out += is_first_of_line ? "" : " ";
    column += is_first_of_line ? 0 : 1;
    out += word;
    column += columns;
    is_first_of_line = false;
  }

  return out;
}

}  // namespace

std::string Wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  return Filled(text, width, indent, {"\n" + std::string(indent, ' '), 0, indent});
}

std::string WrappedCommand(std::string_view command, std::size_t width) {
  const std::string_view all =
      command.substr(std::min(command.find_first_not_of(' '), command.size()));
  if (2 + ColumnsOf(all) <= width) {
    return "  " + std::string(all);
  }
  return "  " + Filled(all, width, 2, {" \\\n      ", 2, 6});
}

std::string WrappedProse(std::string_view prose, std::size_t width) {
  std::string out, paragraph, command;
  const auto end_paragraph = [&] {
    out += paragraph.empty() ? "" : Wrapped(paragraph, width) + "\n";
    paragraph.clear();
  };

  while (!prose.empty()) {
    const std::size_t end = std::min(prose.find('\n'), prose.size());
    const std::string_view line = prose.substr(0, end);
    prose.remove_prefix(std::min(end + 1, prose.size()));

    if (!line.empty() && !line.starts_with("  ")) {
      paragraph.append(paragraph.empty() ? "" : " ").append(line);
      continue;
    }

    // A command, which may go on in the next line, or an empty line.
    end_paragraph();

    // A command may go on in the next line, so that it is only complete without a backslash.
    const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
    command.append(command.empty() ? "" : " ").append(line.substr(begin));
    if (command.ends_with(" \\")) {
      command.resize(command.size() - 2);
      continue;
    }

    out += command.empty() ? "\n" : WrappedCommand(command, width) + "\n";
    command.clear();
  }
  end_paragraph();
  return out;
}

}  // namespace stagecraft
