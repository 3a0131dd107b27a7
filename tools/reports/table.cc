#include "tools/reports/table.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

#include "schedules/visible_text.h"

namespace stagecraft {
namespace {

/// The width of each column, in characters as shown: that of its name or its widest cell.
std::vector<std::size_t> Widths(const TextTable& table) {
  constexpr std::size_t kLeast = 3;  // The rule of Markdown takes at least `---`.
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    std::size_t width = std::max(kLeast, ShownWidth(table.columns[column].name));
    for (const std::vector<std::string>& row : table.rows) {
      width = std::max(width, ShownWidth(row[column]));
    }
    widths.push_back(width);
  }
  return widths;
}

/// `text` with blanks up to `width` characters as shown; longer text stays as it is.
std::string Padded(const std::string& text, std::size_t width, Align align) {
  const std::string blanks(width - std::min(width, ShownWidth(text)), ' ');
  return align == Align::kLeft ? text + blanks : blanks + text;
}

/// A cell that stays one: without line breaks, and with bars that end no column.
std::string MarkdownCell(const std::string& text) {
  std::string cell;
  for (const char c : Visible(text)) {
    cell += c == '|' ? "\\|" : std::string(1, c);
  }
  return cell;
}

/// The table with `show` applied to every cell.
template <typename Show>
TextTable Shown(TextTable table, Show show) {
  for (std::vector<std::string>& row : table.rows) {
    std::transform(row.begin(), row.end(), row.begin(), show);
  }
  return table;
}

/// Quotes double within quotes (RFC 4180, section 2).
std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

/// Ends with a plain line feed, where RFC 4180 has a carriage return before it.
std::string CsvLine(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    line += i == 0 ? "" : ",";
    line += CsvField(fields[i]);
  }
  return line + "\n";
}

std::vector<std::string> ColumnNames(const TextTable& table) {
  std::vector<std::string> names;
  for (const TextTable::Column& column : table.columns) {
    names.push_back(column.name);
  }
  return names;
}

}  // namespace

std::string ToMarkdown(const TextTable& given) {
  const TextTable table = Shown(given, MarkdownCell);
  const std::vector<std::size_t> widths = Widths(table);

  const auto line = [&](const std::vector<std::string>& fields) {
    std::string text = "|";
    for (std::size_t column = 0; column < fields.size(); ++column) {
      text +=
          fmt::format(" {} |", Padded(fields[column], widths[column], table.columns[column].align));
    }
    return text + "\n";
  };

  // The rule below the head says how each column is aligned.
  std::string text = line(ColumnNames(table));
  text += '|';
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const bool left = table.columns[column].align == Align::kLeft;
    text += fmt::format("{}{:-<{}}{}", left ? ":" : "-", "", widths[column], left ? "-|" : ":|");
  }
  text += '\n';

  for (const std::vector<std::string>& row : table.rows) {
    text += line(row);
  }
  return text;
}

std::string ToPlainText(const TextTable& given) {
  const TextTable table = Shown(given, [](const std::string& cell) { return Visible(cell); });
  const std::vector<std::size_t> widths = Widths(table);
  std::string text;

  const auto add = [&](const std::vector<std::string>& fields) {
    std::string line;
    for (std::size_t column = 0; column < fields.size(); ++column) {
      line += column == 0 ? "" : "  ";
      line += Padded(fields[column], widths[column], table.columns[column].align);
    }
    // The last column needs no blanks behind it.
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };

  add(ColumnNames(table));
  for (const std::vector<std::string>& row : table.rows) {
    add(row);
  }
  return text;
}

std::string ToCsv(const TextTable& table) {
  std::string text = CsvLine(ColumnNames(table));
  for (const std::vector<std::string>& row : table.rows) {
    text += CsvLine(row);
  }
  return text;
}

}  // namespace stagecraft
