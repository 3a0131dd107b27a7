#include "schedules/text/csv_cells.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "schedules/visible_text.h"

namespace stagecraft {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

class CsvReader {
 public:
  explicit CsvReader(std::string_view text)
      : text_(text), at_(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0) {}

  /// False where the text breaks a rule; `Fault` says which.
  bool Read() {
    while (at_ < text_.size()) {
      std::vector<std::string>& row = rows_.emplace_back();
      do {
        const std::optional<std::string> cell =
            text_.substr(at_).starts_with('"') ? Quoted() : Plain();
        if (!cell) {
          return false;
        }
        row.push_back(*cell);
      } while (Take(','));

      if (!EndOfLine()) {
        Fail("expected a comma or the end of the line behind the closing '\"'", at_);
        return false;
      }
    }
    return true;
  }

  std::vector<std::vector<std::string>> Rows() && { return std::move(rows_); }

  Diagnostic Fault(std::string_view file) const {
    const std::string_view before = text_.substr(0, fault_at_);
    const std::size_t newline = before.rfind('\n');
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    const std::string_view line = text_.substr(begin, text_.find('\n', begin) - begin);

    Diagnostic fault;
    fault.where = fmt::format("{}:{}:{}", file, std::count(before.begin(), before.end(), '\n') + 1,
                              fault_at_ - begin + 1);
    fault.message = fault_;
    fault.excerpt = CaretExcerpt(line, fault_at_ - begin);
    return fault;
  }

 private:
  bool Take(char mark) {
    const bool stands = text_.substr(at_).starts_with(mark);
    at_ += stands ? 1 : 0;
    return stands;
  }

  bool EndOfLine() {
    Take('\r');
    return at_ == text_.size() || Take('\n');
  }

  std::optional<std::string> Plain() {
    const std::size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    std::string_view cell = text_.substr(at_, end - at_);
    if (!text_.substr(end).starts_with(',') && cell.ends_with('\r')) {
      cell.remove_suffix(1);
    }
    at_ = end;
    return std::string(cell);
  }

  std::optional<std::string> Quoted() {
    const std::size_t opened = at_++;
    std::string cell;
    while (true) {
      const std::size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos) {
        Fail("expected a closing '\"'", opened);
        return std::nullopt;
      }

      // Two quotes in a row stand for one (RFC 4180); a single one ends the cell.
      cell += text_.substr(at_, quote - at_);
      at_ = quote + 1;
      if (!Take('"')) {
        return cell;
      }
      cell += '"';
    }
  }

  void Fail(const char* message, std::size_t at) {
    fault_ = message;
    fault_at_ = at;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::vector<std::string>> rows_;
  const char* fault_ = "";
  std::size_t fault_at_ = 0;
};

}  // namespace

Result<std::vector<std::vector<std::string>>> ReadCsv(std::string_view text,
                                                      std::string_view file) {
  CsvReader reader(text);
  if (!reader.Read()) {
    return {std::nullopt, {reader.Fault(file)}};
  }
  return {std::move(reader).Rows(), {}};
}

}  // namespace stagecraft
