#include "engine/optimizer/learning_rate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/names.h"

namespace stagecraft {
namespace {

/// The whole of `text` as a number, if it is one.
template <typename T>
std::optional<T> Number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(comma + 1);
  }
}

Result<LearningRate> Refuse(const char* option, std::string message) {
  return {std::nullopt, {ErrorAt(option, std::move(message))}};
}

bool IsRate(const std::optional<double>& value) {
  return value && std::isfinite(*value) && *value >= 0;
}

/// False if `text` is not a shape.
bool SetShape(std::string_view text, LearningRate& rate) {
  using Shape = LearningRate::Shape;
  if (text == ToString(Shape::kConstant)) {
    return true;
  }
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const bool is_step = name == ToString(Shape::kStep);
  if (colon == std::string_view::npos || (!is_step && name != ToString(Shape::kCosine))) {
    return false;
  }

  // A floor of a cosine may be missing, and is 0 then.
  const std::vector<std::string_view> parts = Split(text.substr(colon + 1));
  const std::optional<std::int64_t> period = Number<std::int64_t>(parts.front());
  const std::optional<double> factor =
      parts.size() == 2 ? Number<double>(parts[1]) : std::optional<double>(0.0);

  if (!period || *period < 1 || !IsRate(factor) || parts.size() > 2 ||
      (is_step && parts.size() != 2)) {
    return false;
  }
  rate.SetShape(is_step ? Shape::kStep : Shape::kCosine, *period, *factor);
  return true;
}

}  // namespace

double LearningRate::At(std::int64_t update) const {
  const std::int64_t last = rates_.Count() - 1;
  double rate = rates_[std::min(update, last)];
  if (shape_ == Shape::kStep) {
    const std::int64_t times = update / period_;
    rate *= std::pow(factor_, static_cast<double>(times));
  } else if (shape_ == Shape::kCosine) {
    const double done =
        static_cast<double>(std::min(update, period_)) / static_cast<double>(period_);
    rate *= factor_ + (1 - factor_) * (1 + std::cos(std::numbers::pi * done)) / 2;
  }

  if (update < warm_up_) {
    rate *= static_cast<double>(update + 1) / static_cast<double>(warm_up_);
  }
  return rate;
}

std::string LearningRate::Text() const {
  // Names every field, so that one more does not compile until it stands here as well.
  const auto& [rates, shape, period, factor, warm_up] = *this;
  return fmt::format("{} {} {} {} {}", fmt::join(rates, ","), static_cast<int>(shape), period,
                     factor, warm_up);
}

Result<LearningRate> ParseLearningRate(std::string_view rates, std::string_view shape,
                                       std::int64_t warm_up) {
  std::vector<double> values;
  for (const std::string_view part : Split(rates)) {
    const std::optional<double> value = Number<double>(part);
    if (!IsRate(value)) {
      return Refuse("rates", fmt::format("expected rates of at least 0, as in 0.1 or 0.1,0.05, "
                                         "got '{}'",
                                         rates));
    }
    values.push_back(*value);
  }

  LearningRate rate(std::move(values));
  if (!SetShape(shape, rate)) {
    return Refuse("shape",
                  fmt::format("expected constant, step:EVERY,FACTOR or cosine:UPDATES[,FLOOR], "
                              "got '{}'",
                              shape));
  }
  rate.SetWarmUp(warm_up);
  return {std::move(rate), {}};
}

}  // namespace stagecraft
