#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/tables.h"

namespace stagecraft {

/// The learning rate of every update, counted from 0 over the whole training: all stages agree,
/// however far each of them is.
class LearningRate {
 public:
  enum class Shape : std::uint8_t {
    kConstant,
    kStep,    ///< The rate is multiplied by `factor` after each `period` updates.
    kCosine,  ///< The rate falls from all of it to `factor` of it, along half a cosine over
              ///< `period` updates; then it is constant.
  };

  friend std::vector<std::string_view> NamesOf(Shape /*shape*/) {
    return {"constant", "step", "cosine"};
  }

  /// A rate of 0 for every update.
  LearningRate() : rates_{0.0} {}
  /// The rates of updates 0, 1, ...; the last one is that of all later updates, too. Requires: at
  /// least one.
  explicit LearningRate(std::vector<double> rates) : rates_(std::move(rates)) {}

  void SetShape(Shape shape, std::int64_t period, double factor) {
    shape_ = shape;
    period_ = period;
    factor_ = factor;
  }
  /// Update u < `updates` gets (u + 1) / `updates` of its rate.
  void SetWarmUp(std::int64_t updates) { warm_up_ = updates; }

  double At(std::int64_t update) const;

  /// All that it is made of: two learning rates are equal if their texts are.
  std::string Text() const;

 private:
  Table<double> rates_;
  Shape shape_ = Shape::kConstant;
  std::int64_t period_ = 1;
  double factor_ = 1;
  std::int64_t warm_up_ = 0;
};

/// Reads `rates`, such as `0.1` or `0.1,0.05,...`, and `shape`: `constant`, `step:EVERY,FACTOR` or
/// `cosine:UPDATES[,FLOOR]`. Faults name one of the two as their place.
Result<LearningRate> ParseLearningRate(std::string_view rates, std::string_view shape,
                                       std::int64_t warm_up);

}  // namespace stagecraft
