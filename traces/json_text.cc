#include "traces/json_text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/diagnostic.h"
#include "schedules/visible_text.h"

namespace stagecraft {
namespace {

/// An error at the byte `offset` of `text`, with line, column, source line and caret.
Diagnostic ErrorAtByte(std::string_view text, std::string_view file, std::size_t offset,
                       std::string message) {
  const std::size_t at = std::min(offset, text.size());
  const std::string_view before = text.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  const std::size_t column = at - begin;

  Diagnostic fault = ErrorAt(fmt::format("{}:{}:{}", file, line, column + 1), std::move(message));
  const std::string_view source = text.substr(begin, text.find('\n', at) - begin);
  fault.excerpt = CaretExcerpt(source, column);
  return fault;
}

/// The byte of the first bracket that opens too deep.
std::optional<std::size_t> FindTooDeep(std::string_view text, int limit) {
  int depth = 0;
  bool in_string = false;

  // Brackets within strings do not count.
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      i += c == '\\' ? 1U : 0U;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limit) {
        return i;
      }
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }

  return std::nullopt;
}

/// The library's complaint in our words: without its tag and position, in plain characters.
std::string Complaint(const std::string& what) {
  std::string text = what;
  const std::size_t column = text.find("column ");
  const std::size_t colon = column == std::string::npos ? column : text.find(": ", column);
  const std::size_t bracket = text.find("] ");
  if (colon != std::string::npos) {
    text.erase(0, colon + 2);
  } else if (bracket != std::string::npos) {
    text.erase(0, bracket + 2);
  }
  constexpr std::size_t kLongest = 200;
  return Visible(text, kLongest);
}

/// Listens to the text being read and keeps what is wrong with it. The library's own tree builder
/// with a filter could do it too, but takes quadratic time on long arrays.
class TextCheck final : public nlohmann::json::json_sax_t {
 public:
  TextCheck(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_array(std::size_t /*size*/) override { return true; }
  bool end_array() override { return true; }
  bool start_object(std::size_t /*size*/) override {
    keys_.emplace_back();
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    return true;
  }
  bool key(string_t& key) override {
    if (!keys_.back().insert(key).second && repeated_.insert(key).second) {
      faults_.push_back(ErrorAt(std::string(file_),
                                fmt::format("expected each key once in an object, got {} again",
                                            nlohmann::json(key).dump(-1, ' ', true))));
    }
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& error) override {
    faults_.push_back(
        ErrorAtByte(text_, file_, std::max<std::size_t>(position, 1) - 1, Complaint(error.what())));
    return false;
  }

  std::vector<Diagnostic> Faults() && { return std::move(faults_); }

 private:
  std::string_view text_;
  std::string_view file_;
  std::vector<std::set<std::string>> keys_;  ///< Keys so far of each open object.
  std::set<std::string> repeated_;
  std::vector<Diagnostic> faults_;
};

}  // namespace

std::optional<std::int64_t> WholeNumber(const nlohmann::json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return number <= kMost ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
  }

  if (value.is_number_integer()) {
    return value.get<std::int64_t>();
  }

  constexpr double kMost = 9223372036854775808.0;  // 2^63.
  // 0.5 stands for what is no number: it is not whole either.
  const double number = value.is_number_float() ? value.get<double>() : 0.5;
  const bool fits = number == std::floor(number) && number >= -kMost && number < kMost;
  return fits ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
}

Result<nlohmann::json> ReadJson(std::string_view text, std::string_view file,
                                const JsonLimits& limits) {
  Result<nlohmann::json> result;
  if (text.size() > limits.bytes) {
    result.diagnostics.push_back(
        ErrorAt(std::string(file),
                fmt::format("expected at most {} bytes, got {}", limits.bytes, text.size())));
    return result;
  }

  if (const std::optional<std::size_t> deep = FindTooDeep(text, limits.depth)) {
    result.diagnostics.push_back(ErrorAtByte(
        text, file, *deep,
        fmt::format("expected at most {} objects and arrays inside each other", limits.depth)));
    return result;
  }

  // The library takes a NUL for the end of the text, and reads nothing behind it.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    result.diagnostics.push_back(
        ErrorAtByte(text, file, nul, "expected JSON up to the end of the text, got a NUL byte"));
    return result;
  }

  // A tree no longer shows repeated keys, so that the text is checked first.
  TextCheck check(text, file);
  nlohmann::json::sax_parse(text.begin(), text.end(), &check);
  result.diagnostics = std::move(check).Faults();
  if (result.diagnostics.empty()) {
    result.value = nlohmann::json::parse(text.begin(), text.end());
  }
  return result;
}

}  // namespace stagecraft
