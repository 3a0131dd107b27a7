#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "schedules/search/problem.h"

namespace stagecraft {

/// Choices of the round scheduler where neither is always better.
struct RoundsPolicy {
  bool fill_before_forward = true;   ///< A W may go into a gap before an F that it does not fill.
  bool fill_before_backward = true;  ///< The same before an I.
  std::int64_t spare = 0;  ///< Idle time of the worst rank that others may reach before they fill.
};

/// An order for a V of two stages per rank: a warm-up, then rounds in which every rank runs one
/// backward and one forward, and W where memory or gaps ask for them. A rank that has idled less
/// than the worst leaves gaps rather than fill them with a W that is longer. Nothing if it finds
/// no order within the limit. Requires a zigzag placement of 2 chunks. O(ops * ranks).
///
/// After what the released scheduler of the zero-bubble authors (Qi et al., ICLR 2024) does for
/// ZB-V: rounds, and W that go by how much the worst rank has idled.
std::optional<AutoOrder> ScheduleInRounds(const AutoProblem& problem, const RoundsPolicy& policy);

}  // namespace stagecraft
