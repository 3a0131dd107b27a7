#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "schedules/schedule.h"

namespace stagecraft {

/// Where the phases of one rank's program begin, as op indices; each ends where the next begins.
struct RankPhases {
  std::int32_t warm_up = 0;    ///< Always 0: before the first backward.
  std::int32_t steady = 0;     ///< From the last op that leads to the first backward: its F, if one
                               ///< stands right before it, else that backward.
  std::int32_t cool_down = 0;  ///< After the last forward and the backward that pairs with it.
  KindTable<std::int64_t> counts{};  ///< Ops by kind.
};

/// O(ops).
std::vector<RankPhases> FindPhases(const Schedule& schedule);

}  // namespace stagecraft
