#include "tools/arguments/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "traces/costs.h"

namespace stagecraft {
namespace {

/// A unit and how many of the base unit (ns, bytes, bytes/s) it is: factor / divisor.
struct Unit {
  std::string_view name;
  std::int64_t factor;
  std::int64_t divisor = 1;
};

/// To nanoseconds.
constexpr std::array<Unit, 6> kDurationUnits = {{{"ns", 1},
                                                 {"us", 1000},
                                                 {"µs", 1000},
                                                 {"ms", 1000000},
                                                 {"s", 1000000000},
                                                 {"min", 60000000000}}};
/// To bytes. A number without a unit is bytes, too.
constexpr std::array<Unit, 10> kSizeUnits = {{{"", 1},
                                              {"B", 1},
                                              {"kB", 1000},
                                              {"MB", 1000000},
                                              {"GB", 1000000000},
                                              {"TB", 1000000000000},
                                              {"KiB", std::int64_t{1} << 10},
                                              {"MiB", std::int64_t{1} << 20},
                                              {"GiB", std::int64_t{1} << 30},
                                              {"TiB", std::int64_t{1} << 40}}};
/// To bytes per second. Networks are sold in bits, eight of which are a byte.
constexpr std::array<Unit, 12> kBandwidthUnits = {{{"B/s", 1},
                                                   {"kB/s", 1000},
                                                   {"MB/s", 1000000},
                                                   {"GB/s", 1000000000},
                                                   {"TB/s", 1000000000000},
                                                   {"KiB/s", std::int64_t{1} << 10},
                                                   {"MiB/s", std::int64_t{1} << 20},
                                                   {"GiB/s", std::int64_t{1} << 30},
                                                   {"TiB/s", std::int64_t{1} << 40},
                                                   {"Mbit/s", 1000000, 8},
                                                   {"Gbit/s", 1000000000, 8},
                                                   {"Tbit/s", 1000000000000, 8}}};

/// A fault without a place, which only the caller knows.
template <typename T>
Result<T> Fault(std::string message) {
  Diagnostic diagnostic;
  diagnostic.message = std::move(message);
  return {std::nullopt, {std::move(diagnostic)}};
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

/// digits / 10^decimals, and the text behind the number.
struct Decimal {
  std::int64_t digits = 0;
  int decimals = 0;
  std::string_view rest;
};

/// What a number may have, so that 128 bits hold it times any factor.
constexpr std::int64_t kMaxDigits = 999'999'999'999'999'999;  // 18 digits.
constexpr int kMaxDecimals = 18;

/// Reads `12`, `2.5` or `.5` from the front; nothing if there is no number, or one of more digits
/// than 64 bits hold.
std::optional<Decimal> ReadDecimal(std::string_view text) {
  Decimal number;
  std::size_t at = 0;
  bool any = false;
  bool point = false;

  for (; at < text.size() && (IsDigit(text[at]) || (text[at] == '.' && !point)); ++at) {
    if (text[at] == '.') {
      point = true;
      continue;
    }
    any = true;
    // One digit more would not fit.
    if (number.digits > kMaxDigits / 10 || number.decimals >= kMaxDecimals) {
      return std::nullopt;
    }
    number.digits = number.digits * 10 + (text[at] - '0');
    number.decimals += point ? 1 : 0;
  }

  if (!any) {
    return std::nullopt;
  }
  number.rest = text.substr(at);
  return number;
}

/// The names of the units, for messages; of two spellings of microseconds the plain one.
std::string ExpectedUnits(std::span<const Unit> units) {
  std::string names;
  for (const Unit& unit : units) {
    if (!unit.name.empty() && unit.name != "µs") {
      names += names.empty() ? "" : ", ";
      names += unit.name;
    }
  }
  return names;
}

/// round(number * unit), or nothing if that is above `limit`. 128 bits hold every product: 60 bits
/// of digits by 45 bits of factor.
std::optional<std::int64_t> Scale(const Decimal& number, const Unit& unit, std::int64_t limit) {
  __extension__ using Wide = __int128;
  const Wide product = Wide{number.digits} * unit.factor;
  Wide divisor = unit.divisor;
  for (int i = 0; i < number.decimals; ++i) {
    divisor *= 10;
  }
  // Half of a unit is rounded up.
  const Wide rounded = (product + divisor / 2) / divisor;
  if (rounded > limit) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(rounded);
}

/// What a kind of quantity may look like, for `ParseQuantity` and its messages.
struct QuantityKind {
  std::span<const Unit> units;
  std::string_view noun;     ///< `a duration`.
  std::string_view example;  ///< `2.5us`.
  std::int64_t limit;
  std::string_view limit_text;
};

/// A quantity in the base unit of its kind, rounded to the nearest.
Result<std::int64_t> ParseQuantity(std::string_view text, const QuantityKind& kind) {
  const std::optional<Decimal> number = ReadDecimal(text);
  if (!number) {
    return Fault<std::int64_t>(
        fmt::format("expected {} such as {}, got '{}'", kind.noun, kind.example, text));
  }

  const auto unit = std::find_if(kind.units.begin(), kind.units.end(), [&](const Unit& candidate) {
    return candidate.name == number->rest;
  });

  // Zero needs no unit.
  const bool zero = number->rest.empty() && number->digits == 0;
  if (unit == kind.units.end() && !zero) {
    return Fault<std::int64_t>(fmt::format("expected {} with a unit ({}), got '{}'", kind.noun,
                                           ExpectedUnits(kind.units), text));
  }
  if (zero) {
    return {0, {}};
  }

  const std::optional<std::int64_t> value = Scale(*number, *unit, kind.limit);
  if (!value) {
    return Fault<std::int64_t>(
        fmt::format("expected {} of at most {}, got '{}'", kind.noun, kind.limit_text, text));
  }
  return {*value, {}};
}

}  // namespace

Result<Nanoseconds> ParseDuration(std::string_view text) {
  Result<std::int64_t> parsed = ParseQuantity(text, {.units = kDurationUnits,
                                                     .noun = "a duration",
                                                     .example = "2.5us",
                                                     .limit = kMaxDuration.count(),
                                                     .limit_text = "60min"});
  if (!parsed) {
    return {std::nullopt, std::move(parsed.diagnostics)};
  }
  return {Nanoseconds(*parsed.value), {}};
}

Result<std::int64_t> ParseBytes(std::string_view text) {
  return ParseQuantity(text, {.units = kSizeUnits,
                              .noun = "a size",
                              .example = "64MB",
                              .limit = kMaxBytes,
                              .limit_text = "1 PiB"});
}

Result<double> ParseBandwidth(std::string_view text) {
  Result<std::int64_t> parsed = ParseQuantity(text, {.units = kBandwidthUnits,
                                                     .noun = "a bandwidth",
                                                     .example = "1GB/s",
                                                     .limit = kMaxBytes,
                                                     .limit_text = "1 PiB/s"});
  if (!parsed) {
    return {std::nullopt, std::move(parsed.diagnostics)};
  }

  // A channel without a limit needs no flag.
  if (*parsed.value == 0) {
    return Fault<double>(
        fmt::format("expected a bandwidth above 0, got '{}'; leave it out for none", text));
  }
  return {static_cast<double>(*parsed.value), {}};
}

Result<double> ParsePositive(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !(value > 0) || value > 1e9) {
    return Fault<double>(fmt::format("expected a number above 0 and up to 1e9, got '{}'", text));
  }
  return {value, {}};
}

Result<std::int32_t> ParseInteger(std::string_view text, std::int32_t low, std::int32_t high) {
  std::int32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < low || value > high) {
    return Fault<std::int32_t>(
        fmt::format("expected a whole number from {} to {}, got '{}'", low, high, text));
  }
  return {value, {}};
}

std::string FormatNumber(double value) {
  const double size = std::abs(value);
  if (size == 0) {
    return "0";
  }

  const int whole_digits = static_cast<int>(std::floor(std::log10(size))) + 1;
  if (whole_digits < -6) {
    return fmt::format("{:.3e}", value);
  }
  std::string text = fmt::format("{:.{}f}", value, std::max(0, 4 - whole_digits));

  // Zeros at the end say nothing.
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
  }

  return text;
}

std::string FormatDuration(Nanoseconds duration) {
  const std::int64_t ns = duration.count();
  const std::int64_t size = std::abs(ns);
  if (size >= 1'000'000'000) {
    return FormatNumber(static_cast<double>(ns) / 1e9) + " s";
  }
  if (size >= 1'000'000) {
    return FormatNumber(static_cast<double>(ns) / 1e6) + " ms";
  }
  if (size >= 1'000) {
    return FormatNumber(static_cast<double>(ns) / 1e3) + " us";
  }
  return fmt::format("{} ns", ns);
}

std::string FormatBytes(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (std::abs(value) >= 1000 && unit + 1 < kUnits.size()) {
    // Powers of 1000, as disks and networks are measured.
    value /= 1000;
    ++unit;
  }
  return FormatNumber(value) + " " + std::string(kUnits[unit]);
}

std::string FormatShare(double share) {
  return fmt::format("{:.1f} %", share * 100);
}

std::string FormatSamples(double samples) {
  return FormatNumber(samples) + (samples == 1 ? " sample" : " samples");
}

}  // namespace stagecraft
