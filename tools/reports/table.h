#pragma once

#include <string>
#include <vector>

namespace stagecraft {

enum class Align { kLeft, kRight };

/// Rows of text under named columns, printed as Markdown whose columns line up, or as CSV. Cells
/// may be of any text: one for reading shows it `Visible`, CSV has it as it is.
struct TextTable {
  struct Column {
    std::string name;
    Align align = Align::kRight;
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  ///< Each as long as `columns`.
};

/// `| a | b |` with a rule under the head; readable as it is and as Markdown. A bar within a cell
/// is `\|`.
std::string ToMarkdown(const TextTable& given);

/// The same columns without bars, two blanks apart: for reading only.
std::string ToPlainText(const TextTable& given);

/// RFC 4180; fields with a comma, quote or line break are quoted.
std::string ToCsv(const TextTable& table);

}  // namespace stagecraft
