#pragma once

#include <cstdint>

namespace stagecraft {

/// Activations that a rank may hold at a time.
struct ActivationLimit {
  enum class Unit : std::uint8_t {
    kSets,        ///< What one micro-batch leaves on all stages of the rank.
    kTimesRanks,  ///< p such sets.
    kBytes,
  };
  double amount = 1;  ///< Above 0.
  Unit unit = Unit::kSets;

  friend bool operator==(const ActivationLimit&, const ActivationLimit&) = default;
};

/// The limit in whole sets, rounded down, at least 1. Requires a limit that is not in bytes.
std::int32_t SetsOf(const ActivationLimit& limit, std::int32_t ranks);

}  // namespace stagecraft
