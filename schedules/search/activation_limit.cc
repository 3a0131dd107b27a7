#include "schedules/search/activation_limit.h"

#include <algorithm>
#include <limits>

namespace stagecraft {

std::int32_t SetsOf(const ActivationLimit& limit, std::int32_t ranks) {
  const double sets = limit.amount * (limit.unit == ActivationLimit::Unit::kTimesRanks ? ranks : 1);
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  return static_cast<std::int32_t>(std::clamp(sets, 1.0, kMost));
}

}  // namespace stagecraft
