#pragma once

#include <cstdint>
#include <string>

#include "schedules/schedule.h"
#include "traces/timeline.h"

namespace stagecraft {

struct TextTimelineOptions {
  Nanoseconds tick{0};           ///< Time of one column; 0 chooses one (see RenderTimeline).
  bool versions = false;         ///< `F3@2+1` instead of `F3`.
  std::int64_t max_columns = 0;  ///< Cut there, with a note; 0 draws all.
};

/// The timeline in the grid of `schedules/diagram.h`, with its tick in the first line. Chosen tick:
/// the greatest common divisor of all starts and durations if that gives at most 400 columns, else
/// makespan / 120 rounded up (the first line then says that edges are rounded).
std::string RenderTimeline(const Schedule& schedule, const Timeline& timeline,
                           const TextTimelineOptions& options = {});

}  // namespace stagecraft
