#include "schedules/text/op_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "schedules/closest.h"
#include "schedules/visible_text.h"

namespace stagecraft {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

/// Reads a number from the front of `text` and drops it; nothing without a digit or out of range.
std::optional<std::int32_t> TakeNumber(std::string_view& text) {
  std::int32_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// Reads one op; on failure says what was expected, and at which character of `text`.
class OpReader {
 public:
  explicit OpReader(std::string_view text) : text_(text), rest_(text) {}

  OpWord Read() {
    if (!TakeField(op_.stage) || !TakeKind()) {
      return Expected("an op");
    }

    // What stands behind the kind depends on the kind.
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
    const std::optional<std::int32_t> number = TakeNumber(rest_);
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

  OpWord Expected(std::string what) const {
    return {std::nullopt, std::move(what), text_.size() - rest_.size()};
  }

  std::string_view text_;
  std::string_view rest_;
  Op op_;
};

/// `word`, which begins with a digit, with the kind that was nearly written; empty if that is none
/// or right.
std::string WithKnownKind(std::string_view word) {
  std::size_t letters = 0;
  while (letters < word.size() && IsDigit(word[letters])) {
    ++letters;
  }

  std::size_t end = letters;
  while (end < word.size() && !IsDigit(word[end]) && word[end] != '@') {
    ++end;
  }
  if (letters == end) {
    return "";
  }

  // Only the kind is guessed at: numbers have no spelling that is nearly right.
  std::array<std::string_view, kOpKinds> kinds;
  std::transform(AllOpTraits().begin(), AllOpTraits().end(), kinds.begin(),
                 [](const OpTraits& traits) { return traits.text; });

  const std::string_view given = word.substr(letters, end - letters);
  const std::string_view kind = Closest(given, kinds);
  return kind.empty() || kind == given
             ? ""
             : fmt::format("{}{}{}", word.substr(0, letters), kind, word.substr(end));
}

}  // namespace

OpWord ReadOp(std::string_view word) {
  return OpReader(word).Read();
}

std::string OpSuggestion(std::string_view word, std::int32_t stage) {
  constexpr std::size_t kLongest = 40;  // A longer word is not worth repeating.
  if (word.empty() || word.size() > kLongest || Visible(word) != word) {
    return "";
  }
  const auto mean = [](std::string_view op) { return fmt::format("; did you mean '{}'?", op); };
  if (IsDigit(word.front())) {
    const std::string meant = WithKnownKind(word);
    return meant.empty() ? "" : mean(meant);
  }

  // Without its stage, as a diagram writes it, and perhaps without a version or in small letters.
  const std::string whole = fmt::format("{}{}", stage, word);
  for (const std::string& with_stage : {whole, WithKnownKind(whole)}) {
    for (const std::string_view version : {"", "@0"}) {
      const std::string op = fmt::format("{}{}", with_stage, version);
      if (ReadOp(op).op) {
        return mean(op);
      }
    }
  }
  return "";
}

std::optional<std::int32_t> ReadWholeNumber(std::string_view text) {
  if (text.empty() || !IsDigit(text.front())) {
    return std::nullopt;
  }
  const std::optional<std::int32_t> number = TakeNumber(text);
  return text.empty() ? number : std::nullopt;
}

}  // namespace stagecraft
