#pragma once

#include <string>
#include <vector>

namespace stagecraft {

/// On which side of its column a text stands.
enum class Align { kLeft, kRight };

/// Rows of text under named columns, printed as Markdown whose columns line up, as plain text or as
/// CSV. Cells may hold any text: what is for reading shows it `Visible`, CSV has it byte by byte.
///
///   ToMarkdown       ToPlainText   ToCsv
///   | rank | op  |   rank  op      rank,op
///   |-----:|:----|      0  F0      0,F0
///   |    0 | F0  |
struct TextTable {
  /// A heading, and how its cells stand below it.
  struct Column {
    std::string name;
    Align align = Align::kRight;  ///< Figures stand right, so that their digits line up.
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
