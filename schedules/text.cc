#include "schedules/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "schedules/closest.h"

namespace stagecraft {
namespace {

constexpr std::string_view kHeader = "stagecraft schedule 1";
constexpr std::size_t kMaxDiagnostics = 20;
constexpr std::int32_t kMaxRanks = 1 << 16;

// ---------------------------------------------------------------------------------------------
// Printing

/// Longest line of a program; the next op goes on another line of the same rank.
constexpr std::size_t kProgramColumns = 100;

void AppendProgram(std::string& out, std::size_t rank, const std::vector<Op>& program) {
  const std::string head = fmt::format("rank {:<4}", rank);
  std::size_t line = out.size();
  out += head;
  bool in_cell = false;
  std::string word;
  for (const Op& op : program) {
    word.clear();
    word += in_cell ? ';' : ' ';
    if (!in_cell && op.joined) {
      word += '(';
    }
    AppendTo(word, op);
    if (in_cell && !op.joined) {
      word += ')';
    }
    if (!in_cell && out.size() - line + word.size() > kProgramColumns) {
      out += '\n';
      line = out.size();
      out += head;
    }
    out += word;
    in_cell = op.joined;
  }
  out += '\n';
}

/// One line of display text: what would break the line, or start a comment, becomes a blank.
std::string OneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '#'; }, ' ');
  const std::size_t begin = text.find_first_not_of(' ');
  const std::size_t end = text.find_last_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

// ---------------------------------------------------------------------------------------------
// Parsing

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsControl(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
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

/// Reads `number` from the front of `text` and drops it; nothing without a digit or out of range.
template <typename Integer>
std::optional<Integer> TakeNumber(std::string_view& text) {
  Integer number{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

struct OpResult {
  std::optional<Op> op;
  std::string expected;  ///< What should have stood at `offset`.
  std::size_t offset = 0;
};

/// Reads one op; on failure says what was expected, and at which character of `text`.
class OpReader {
 public:
  explicit OpReader(std::string_view text) : text_(text), rest_(text) {}

  OpResult Read() {
    if (!TakeField(op_.stage) || !TakeKind()) {
      return Expected("an op");
    }
    const OpTraits& traits = TraitsOf(op_.kind);
    if (traits.has_microbatch && !TakeField(op_.microbatch)) {
      return Expected(fmt::format("a micro-batch number after '{}'", traits.text));
    }
    if (traits.has_version && !(Take('@') && TakeField(op_.version))) {
      return Expected(fmt::format("'@' and the weight version that {} reads", traits.text));
    }
    if (traits.has_horizon && (StartsWith('+') || StartsWith('-')) && !TakeHorizon()) {
      return Expected("a horizon of -32767 to 32767, not 0");
    }
    if (!rest_.empty()) {
      return Expected("a blank after the op");
    }
    return {op_, "", 0};
  }

 private:
  bool StartsWith(char c) const { return !rest_.empty() && rest_.front() == c; }

  bool Take(char c) {
    if (!StartsWith(c)) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  bool TakeField(std::int32_t& field) {
    if (rest_.empty() || !IsDigit(rest_.front())) {
      return false;
    }
    const std::optional<std::int32_t> number = TakeNumber<std::int32_t>(rest_);
    field = number.value_or(0);
    return number.has_value();
  }

  bool TakeHorizon() {
    const std::string_view whole = rest_;
    const bool back = StartsWith('-');
    rest_.remove_prefix(1);
    std::int32_t size = 0;
    if (!TakeField(size) || size == 0 || size > std::numeric_limits<std::int16_t>::max()) {
      rest_ = whole;
      return false;
    }
    op_.horizon = static_cast<std::int16_t>(back ? -size : size);
    return true;
  }

  /// Letters and '_' up to a digit or '@'; longest first is not needed: no kind is another's
  /// prefix once the whole run of letters is taken.
  bool TakeKind() {
    std::size_t length = 0;
    while (length < rest_.size() &&
           ((rest_[length] >= 'A' && rest_[length] <= 'Z') || rest_[length] == '_')) {
      ++length;
    }
    for (const OpTraits& traits : AllOpTraits()) {
      if (traits.text == rest_.substr(0, length)) {
        op_.kind = traits.kind;
        rest_.remove_prefix(length);
        return true;
      }
    }
    return false;
  }

  OpResult Expected(std::string what) const {
    return {std::nullopt, std::move(what), text_.size() - rest_.size()};
  }

  std::string_view text_;
  std::string_view rest_;
  Op op_;
};

/// The op that a mistyped word most likely means: the same digits with the nearest kind. Nothing
/// for words that are too long to repeat, or whose kind is not the fault.
std::string Suggestion(std::string_view word) {
  constexpr std::size_t kLongest = 40;
  if (word.size() > kLongest || std::any_of(word.begin(), word.end(), IsControl)) {
    return "";
  }
  std::size_t letters = 0;
  while (letters < word.size() && IsDigit(word[letters])) {
    ++letters;
  }
  std::size_t end = letters;
  while (end < word.size() && !IsDigit(word[end]) && word[end] != '@') {
    ++end;
  }
  if (letters == 0 || letters == end) {
    return "";
  }
  std::array<std::string_view, kOpKinds> kinds;
  std::transform(AllOpTraits().begin(), AllOpTraits().end(), kinds.begin(),
                 [](const OpTraits& traits) { return traits.text; });
  const std::string_view given = word.substr(letters, end - letters);
  const std::string_view kind = Closest(given, kinds);
  return kind.empty() || kind == given
             ? ""
             : fmt::format("; did you mean '{}{}{}'?", word.substr(0, letters), kind,
                           word.substr(end));
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  Result<Schedule> Read() {
    Header();
    while (result_.size() < kMaxDiagnostics && NextLine()) {
      Line();
    }
    if (result_.empty()) {
      CheckComplete();
    }
    if (!result_.empty()) {
      return {std::nullopt, std::move(result_)};
    }
    return {std::move(schedule_), {}};
  }

 private:
  void Header() {
    if (!NextLine() || line_ != kHeader) {
      Fault({line_, 0}, fmt::format("expected '{}' on the first line", kHeader));
    }
  }

  /// The next line that is not blank, its comment cut off.
  bool NextLine() {
    while (!text_.empty()) {
      const std::size_t end = std::min(text_.find('\n'), text_.size());
      full_line_ = text_.substr(0, end);
      text_.remove_prefix(std::min(end + 1, text_.size()));
      ++number_;
      line_ = full_line_.substr(0, full_line_.find('#'));
      while (!line_.empty() && IsBlank(line_.back())) {
        line_.remove_suffix(1);
      }
      if (!line_.empty()) {
        return true;
      }
    }
    line_ = full_line_ = {};
    return false;
  }

  void Line() {
    LineCursor cursor(line_);
    const Word keyword = cursor.Next();
    if (keyword.text == "rank") {
      Program(cursor);
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
      constexpr std::array<std::string_view, 6> kKeywords = {"rank", "place", "shape",
                                                             "mode", "name",  "source"};
      const std::string_view meant = Closest(keyword.text, kKeywords);
      Fault(keyword, fmt::format("expected name, source, shape, mode, place or rank, got '{}'{}",
                                 Shown(keyword.text),
                                 meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant)));
    }
  }

  void ShapeLine(LineCursor& cursor, const Word& keyword) {
    if (has_shape_) {
      Fault(keyword, "a second shape line; expected one");
      return;
    }
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
    const std::optional<std::int32_t> number = WholeNumber(word.text);
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
      Fault(word, fmt::format("expected a rank and ':', got '{}'", Shown(word.text)));
      return;
    }
    const std::optional<std::int32_t> rank = Rank({digits, word.column}, placed_);
    if (!rank) {
      return;
    }
    std::vector<std::int32_t>& stages = schedule_.placement[static_cast<std::size_t>(*rank)];
    if (placed_[static_cast<std::size_t>(*rank)]) {
      Fault(word, fmt::format("rank {} is placed twice", *rank));
      return;
    }
    placed_[static_cast<std::size_t>(*rank)] = true;
    for (Word next = cursor.Next(); !next.text.empty(); next = cursor.Next()) {
      const std::optional<std::int32_t> stage = WholeNumber(next.text);
      if (!stage || *stage >= schedule_.shape.stages) {
        Fault(next, fmt::format("expected a stage from 0 to {}, got '{}'",
                                schedule_.shape.stages - 1, Shown(next.text)));
        return;
      }
      stages.push_back(*stage);
    }
  }

  /// A rank number within the shape; makes room for all ranks when it sees the first.
  std::optional<std::int32_t> Rank(const Word& word, std::vector<bool>& seen) {
    if (!has_shape_) {
      Fault(word, "expected the shape line before the first place or rank line");
      return std::nullopt;
    }
    const std::optional<std::int32_t> rank = WholeNumber(word.text);
    if (!rank || *rank >= schedule_.shape.ranks) {
      Fault(word, fmt::format("expected a rank from 0 to {}, got '{}'", schedule_.shape.ranks - 1,
                              Shown(word.text)));
      return std::nullopt;
    }
    const auto needed = static_cast<std::size_t>(schedule_.shape.ranks);
    schedule_.placement.resize(needed);
    schedule_.programs.resize(needed);
    seen.resize(needed, false);
    return rank;
  }

  /// `rank R  op op (op;op) ...`
  void Program(LineCursor& cursor) {
    const std::optional<std::int32_t> rank = Rank(cursor.Next(), has_program_);
    if (!rank) {
      return;
    }
    has_program_[static_cast<std::size_t>(*rank)] = true;
    std::vector<Op>& program = schedule_.programs[static_cast<std::size_t>(*rank)];
    program.reserve(program.size() + line_.size() / 8);
    for (Word word = cursor.Next(); !word.text.empty(); word = cursor.Next()) {
      const bool good = word.text.front() == '(' ? Cell(word, program) : OneOp(word, program);
      if (!good) {
        return;
      }
    }
  }

  bool OneOp(const Word& word, std::vector<Op>& program) {
    const OpResult read = OpReader(word.text).Read();
    if (!read.op) {
      const bool whole_op = read.expected == "an op";
      Fault({word.text, word.column + (whole_op ? 0 : read.offset)},
            fmt::format("expected {}, got '{}'{}", read.expected,
                        Shown(whole_op ? word.text : word.text.substr(read.offset)),
                        whole_op ? Suggestion(word.text) : ""));
      return false;
    }
    program.push_back(*read.op);
    return true;
  }

  bool Cell(const Word& word, std::vector<Op>& program) {
    if (word.text.size() < 2 || word.text.back() != ')') {
      Fault({word.text, word.column + word.text.size()}, "expected ')' at the end of the cell");
      return false;
    }
    const std::size_t first = program.size();
    std::size_t at = 1;
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
    const auto ranks = static_cast<std::size_t>(schedule_.shape.ranks);
    placed_.resize(ranks, false);
    has_program_.resize(ranks, false);
    for (std::size_t rank = 0; rank < ranks && result_.size() < kMaxDiagnostics; ++rank) {
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

  static std::optional<std::int32_t> WholeNumber(std::string_view text) {
    if (text.empty() || !IsDigit(text.front())) {
      return std::nullopt;
    }
    const std::optional<std::int32_t> number = TakeNumber<std::int32_t>(text);
    return text.empty() ? number : std::nullopt;
  }

  /// At most 40 printable characters of what was found.
  static std::string Shown(std::string_view text) {
    constexpr std::size_t kShown = 40;
    std::string shown(text.substr(0, kShown));
    std::replace_if(shown.begin(), shown.end(), IsControl, '?');
    return text.size() > kShown ? shown + "..." : shown;
  }

  void Fault(const Word& word, std::string message) {
    Diagnostic fault;
    const std::size_t line = std::max<std::size_t>(number_, 1);  // An empty text has none.
    fault.where = fmt::format("{}:{}:{}", file_, line, word.column + 1);
    fault.message = std::move(message);
    fault.excerpt = Excerpt(word.column);
    result_.push_back(std::move(fault));
  }

  /// The line, or the part of a long one around `column`, with a caret under it.
  std::string Excerpt(std::size_t column) const {
    constexpr std::size_t kBefore = 40;
    constexpr std::size_t kWidth = 90;
    if (full_line_.empty()) {
      return "";
    }
    const std::size_t begin = column > kBefore + 10 ? column - kBefore : 0;
    std::string shown(full_line_.substr(begin, kWidth));
    std::replace_if(shown.begin(), shown.end(), IsControl, ' ');
    const std::string_view dots = begin > 0 ? "..." : "";
    return fmt::format("  {}{}\n  {}^", dots, shown,
                       std::string(dots.size() + column - begin, ' '));
  }

  std::string_view text_;
  std::string_view file_;
  std::string_view full_line_;  ///< With its comment.
  std::string_view line_;
  std::size_t number_ = 0;
  bool has_shape_ = false;
  std::vector<bool> placed_, has_program_;
  Schedule schedule_;
  std::vector<Diagnostic> result_;
};

}  // namespace

std::string Print(const Schedule& schedule) {
  std::string out(kHeader);
  out += '\n';
  if (const std::string name = OneLine(schedule.name); !name.empty()) {
    out += "name      " + name + '\n';
  }
  if (const std::string source = OneLine(schedule.source); !source.empty()) {
    out += "source    " + source + '\n';
  }
  out += fmt::format("shape     ranks {} stages {} microbatches {}\n", schedule.shape.ranks,
                     schedule.shape.stages, schedule.shape.microbatches);
  if (schedule.mode == Mode::kForward) {
    out += "mode      forward\n";
  }
  for (std::size_t rank = 0; rank < schedule.placement.size(); ++rank) {
    out += fmt::format("place     {}:", rank);
    for (const std::int32_t stage : schedule.placement[rank]) {
      out += fmt::format(" {}", stage);
    }
    out += '\n';
  }
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    AppendProgram(out, rank, schedule.programs[rank]);
  }
  return out;
}

Result<Schedule> Parse(std::string_view text, std::string_view file) {
  return Parser(text, file).Read();
}

}  // namespace stagecraft
