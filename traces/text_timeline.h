#pragma once

#include <cstdint>
#include <string>

#include "schedules/schedule.h"
#include "traces/timeline.h"

namespace stagecraft {

/// How a timeline is drawn.
struct TextTimelineOptions {
  Nanoseconds tick{0};              ///< Time of one column; 0 chooses one (see RenderTimeline).
  bool versions = false;            ///< `F3@2+1` instead of `F3`.
  std::int64_t max_columns = 0;     ///< The picture is cut there, with a note; 0: all is drawn.
  std::int64_t max_characters = 0;  ///< The picture is cut so that no line is longer; 0: it is not.
};

/// The timeline in the grid of `schedules/diagram.h`, with its tick in the first line. Chosen tick:
/// the greatest common divisor of all starts and durations if that gives at most 400 columns, else
/// 1, 2 or 5 times a power of ten, about half the shortest compute op but so that 50 to 400 columns
/// result (the first line then says that edges are rounded). Ops shorter than a column may vanish,
/// which a line behind the grid counts. Requires times not below 0.
std::string RenderTimeline(const Schedule& schedule, const Timeline& timeline,
                           const TextTimelineOptions& options = {});

}  // namespace stagecraft
