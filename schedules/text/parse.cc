#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "schedules/closest.h"
#include "schedules/fault_list.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/text.h"
#include "schedules/text/op_reader.h"
#include "schedules/visible_text.h"

namespace stagecraft {
namespace {

constexpr std::size_t kMaxDiagnostics = 20;
constexpr std::int32_t kMaxRanks = 1 << 16;

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

/// What was found, for a message.
std::string Shown(std::string_view text) {
  constexpr std::size_t kShown = 40;
  return Visible(text, kShown);
}

/// A word of a line, with the column (from 0) where it starts.
struct Word {
  std::string_view text;
  std::size_t column = 0;
};

/// Cuts one line into words and cells, left to right.
class LineCursor {
 public:
  explicit LineCursor(std::string_view line) : line_(line) {}

  /// The next word up to a blank; empty at the end of the line.
  Word Next() {
    while (at_ < line_.size() && IsBlank(line_[at_])) {
      ++at_;
    }
    const std::size_t begin = at_;
    while (at_ < line_.size() && !IsBlank(line_[at_])) {
      ++at_;
    }
    return {line_.substr(begin, at_ - begin), begin};
  }

  /// Everything that is left, without blanks around it.
  Word Rest() {
    const Word first = Next();
    std::size_t end = line_.size();
    while (end > first.column && IsBlank(line_[end - 1])) {
      --end;
    }
    return {line_.substr(first.column, end - first.column), first.column};
  }

 private:
  std::string_view line_;
  std::size_t at_ = 0;
};

class Parser {
 public:
  Parser(std::string_view text, std::string_view file)
      : text_(text), file_(file), faults_(file, kMaxDiagnostics) {}

  Result<Schedule> Read() {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    text_.remove_prefix(text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);

    Header();
    if (!faults_.Empty()) {  // Something else altogether: one fault says it.
      return {std::nullopt, faults_.Take()};
    }

    while (!faults_.Full() && NextLine()) {
      Line();
    }
    if (faults_.Empty()) {
      CheckComplete();
    }
    if (!faults_.Empty()) {
      return {std::nullopt, faults_.Take()};
    }
    return {std::move(schedule_), {}};
  }

 private:
  void Header() {
    if (!NextLine() || line_ != kTextHeader) {
      Fault({line_, 0}, fmt::format("expected '{}' on the first line", kTextHeader));
    }
  }

  /// The next line that is not blank, its comment cut off.
  bool NextLine() {
    while (!text_.empty()) {
      const std::size_t end = std::min(text_.find('\n'), text_.size());
      full_line_ = text_.substr(0, end);
      text_.remove_prefix(std::min(end + 1, text_.size()));
      ++number_;

      // Faults are shown in the full line, comment and all.
      line_ = full_line_.substr(0, full_line_.find('#'));
      while (!line_.empty() && IsBlank(line_.back())) {
        line_.remove_suffix(1);
      }
      if (!line_.empty()) {
        return true;
      }
    }

    // At the end of the file there is no line to point at.
    line_ = full_line_ = {};
    return false;
  }

  void Line() {
    LineCursor cursor(line_);
    const Word keyword = cursor.Next();

    if (keyword.text == "rank") {
      ReadProgram(cursor);
    } else if (keyword.text == "place") {
      Place(cursor);
    } else if (keyword.text == "shape") {
      ShapeLine(cursor, keyword);
    } else if (keyword.text == "mode") {
      ModeLine(cursor.Rest());
    } else if (keyword.text == "name") {
      schedule_.name = cursor.Rest().text;
    } else if (keyword.text == "source") {
      schedule_.source = cursor.Rest().text;
    } else {
      UnknownLine(keyword);
    }
  }

  void UnknownLine(const Word& keyword) {
    constexpr std::array<std::string_view, 3> kShapeFields = {"ranks", "stages", "microbatches"};

    const bool in_shape =
        std::find(kShapeFields.begin(), kShapeFields.end(), keyword.text) != kShapeFields.end();
    if (in_shape) {
      saw_shape_ = true;
      Fault(keyword, fmt::format("expected ranks, stages and microbatches in one line, such as "
                                 "'shape ranks 2 stages 2 microbatches 4', got '{}'",
                                 keyword.text));
      return;
    }

    Fault(keyword, fmt::format("expected name, source, shape, mode, place or rank, got '{}'{}",
                               Shown(keyword.text), DidYouMean(keyword.text, kTextKeywords)));
  }

  void ShapeLine(LineCursor& cursor, const Word& keyword) {
    if (has_shape_) {
      Fault(keyword, "a second shape line; expected one");
      return;
    }
    saw_shape_ = true;
    has_shape_ = ShapeField(cursor, "ranks", kMaxRanks, schedule_.shape.ranks) &&
                 ShapeField(cursor, "stages", std::numeric_limits<std::int32_t>::max(),
                            schedule_.shape.stages) &&
                 ShapeField(cursor, "microbatches", std::numeric_limits<std::int32_t>::max(),
                            schedule_.shape.microbatches) &&
                 AtEnd(cursor);
  }

  bool ShapeField(LineCursor& cursor, std::string_view name, std::int32_t max,
                  std::int32_t& field) {
    const Word label = cursor.Next();
    if (label.text != name) {
      Fault(label, fmt::format("expected '{}' and a number, got '{}'", name, Shown(label.text)));
      return false;
    }
    const Word word = cursor.Next();
    const std::optional<std::int32_t> number = ReadWholeNumber(word.text);
    if (!number || *number < 1 || *number > max) {
      Fault(word, fmt::format("expected a number of {} from 1 to {}, got '{}'", name, max,
                              Shown(word.text)));
      return false;
    }
    field = *number;
    return true;
  }

  void ModeLine(const Word& word) {
    if (word.text == "forward") {
      schedule_.mode = Mode::kForward;
    } else if (word.text != "training") {
      Fault(word, fmt::format("expected 'forward' or 'training', got '{}'", Shown(word.text)));
    }
  }

  /// `place R: S S S`
  void Place(LineCursor& cursor) {
    const Word word = cursor.Next();
    std::string_view digits = word.text;
    if (!digits.empty() && digits.back() == ':') {
      digits.remove_suffix(1);
    } else {
      Fault(word, fmt::format("expected a rank and ':', such as 'place 0: 0', got '{}'",
                              Shown(word.text)));
      return;
    }

    const std::optional<std::int32_t> rank = Rank({digits, word.column}, placed_);
    if (!rank) {
      return;
    }

    Table<std::int32_t>& stages = schedule_.placement[*rank];
    if (placed_[*rank]) {
      Fault(word, fmt::format("rank {} is placed twice", *rank));
      return;
    }
    placed_[*rank] = true;

    for (Word next = cursor.Next(); !next.text.empty(); next = cursor.Next()) {
      const std::optional<std::int32_t> stage = ReadWholeNumber(next.text);
      if (!stage || *stage >= schedule_.shape.stages) {
        Fault(next, fmt::format("expected a stage from 0 to {}, got '{}'",
                                schedule_.shape.stages - 1, Shown(next.text)));
        return;
      }
      stages.push_back(*stage);
    }
  }

  /// A rank number within the shape; makes room for all ranks when it sees the first.
  std::optional<std::int32_t> Rank(const Word& word, Table<bool>& seen) {
    if (!has_shape_) {
      NeedsShape(word);
      return std::nullopt;
    }

    const std::optional<std::int32_t> rank = ReadWholeNumber(word.text);
    if (!rank || *rank >= schedule_.shape.ranks) {
      Fault(word, fmt::format("expected a rank from 0 to {}, got '{}'", schedule_.shape.ranks - 1,
                              Shown(word.text)));
      return std::nullopt;
    }

    const std::int32_t needed = schedule_.shape.ranks;
    schedule_.placement.resize(needed);
    schedule_.programs.resize(needed);
    seen.resize(needed, false);
    return rank;
  }

  /// Said once: without a shape no place or rank line can be right.
  void NeedsShape(const Word& word) {
    if (!saw_shape_) {
      Fault(word, "expected the shape line before the first place or rank line");
      saw_shape_ = true;
    }
  }

  /// The number of `rank 0:`, which has a fault then.
  Word WithoutColon(const Word& word) {
    const std::string_view digits = word.text.substr(0, word.text.find(':'));
    if (digits.size() == word.text.size() || !ReadWholeNumber(digits)) {
      return word;
    }
    Fault(word, fmt::format("expected a rank and a blank, such as 'rank {}' (a ':' is for place "
                            "lines), got '{}'",
                            digits, Shown(word.text)));
    return {digits, word.column};
  }

  /// `rank R  op op (op;op) ...`
  void ReadProgram(LineCursor& cursor) {
    const std::optional<std::int32_t> rank = Rank(WithoutColon(cursor.Next()), has_program_);
    if (!rank && has_shape_) {
      return;
    }

    // Without a shape the ops are read all the same, for what is wrong with them.
    Program nowhere;
    Program& program = rank ? schedule_.programs[*rank] : nowhere;
    program.reserve(program.size() + line_.size() / 8);
    if (rank) {
      has_program_[*rank] = true;
      const Table<std::int32_t>& placed = schedule_.placement[*rank];
      likely_stage_ = placed.empty() ? 0 : placed.front();
    }

    for (Word word = cursor.Next(); !word.text.empty(); word = cursor.Next()) {
      const bool good = word.text.front() == '(' ? Cell(word, program) : OneOp(word, program);
      if (!good) {
        return;
      }
    }
  }

  bool OneOp(const Word& word, Program& program) {
    const OpWord read = ReadOp(word.text);
    if (!read.op) {
      const bool whole_op = read.expected == "an op";
      Fault({word.text, word.column + (whole_op ? 0 : read.offset)},
            fmt::format("expected {}, got '{}'{}", read.expected,
                        Shown(whole_op ? word.text : word.text.substr(read.offset)),
                        whole_op ? OpSuggestion(word.text, likely_stage_) : ""));
      return false;
    }
    program.push_back(*read.op);
    return true;
  }

  bool Cell(const Word& word, Program& program) {
    if (word.text.size() < 2 || word.text.back() != ')') {
      Fault({word.text, word.column + word.text.size()}, "expected ')' at the end of the cell");
      return false;
    }

    const std::size_t first = program.size();
    std::size_t at = 1;

    // Every op but the last is joined to the one behind it.
    while (at < word.text.size()) {
      const std::size_t end = std::min(word.text.find(';', at), word.text.size() - 1);
      if (!OneOp({word.text.substr(at, end - at), word.column + at}, program)) {
        return false;
      }
      program.back().joined = true;
      at = end + 1;
    }
    program.back().joined = false;

    if (program.size() - first < 2) {
      Fault(word, "expected two or more ops in a cell, separated by ';'");
      return false;
    }
    return true;
  }

  void CheckComplete() {
    if (!has_shape_) {
      Fault({}, "expected a shape line, got the end of the file");
      return;
    }

    // Without a single place or rank line the tables are still empty.
    const std::int32_t ranks = schedule_.shape.ranks;
    placed_.resize(ranks, false);
    has_program_.resize(ranks, false);

    for (std::int32_t rank = 0; rank < ranks && !faults_.Full(); ++rank) {
      if (!placed_[rank]) {
        Fault({}, fmt::format("expected a line 'place {}:', got the end of the file", rank));
      }
      if (!has_program_[rank]) {
        Fault({}, fmt::format("expected a line 'rank {}', got the end of the file", rank));
      }
    }
  }

  bool AtEnd(LineCursor& cursor) {
    const Word word = cursor.Next();
    if (!word.text.empty()) {
      Fault(word, fmt::format("expected the end of the line, got '{}'", Shown(word.text)));
    }
    return word.text.empty();
  }

  void Fault(const Word& word, std::string message) {
    Diagnostic fault;
    const std::size_t line = std::max<std::size_t>(number_, 1);  // An empty text has none.
    fault.where = fmt::format("{}:{}:{}", file_, line, word.column + 1);
    fault.message = std::move(message);
    if (!full_line_.empty()) {
      fault.excerpt = CaretExcerpt(full_line_, word.column);
    }
    faults_.Add(std::move(fault));
  }

  std::string_view text_;
  std::string_view file_;
  std::string_view full_line_;  ///< With its comment.
  std::string_view line_;
  std::size_t number_ = 0;
  std::int32_t likely_stage_ = 0;  ///< Of an op that has none.
  bool saw_shape_ = false;         ///< A shape line, good or bad.
  bool has_shape_ = false;
  Table<bool> placed_, has_program_;
  Schedule schedule_;
  FaultList faults_;
};

}  // namespace

Result<Schedule> Parse(std::string_view text, std::string_view file) {
  return Parser(text, file).Read();
}

}  // namespace stagecraft
