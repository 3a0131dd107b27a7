#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "schedules/op.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// Time since the start of the run, or a duration. Integer everywhere; converted at the edges.
using Nanoseconds = std::chrono::nanoseconds;

/// When one op ran.
struct Span {
  Nanoseconds start{0};
  Nanoseconds end{0};

  friend bool operator==(const Span&, const Span&) = default;
};

/// One boundary tensor on its way.
struct Transfer {
  OpRef send;
  OpRef recv;
  Nanoseconds start{0};    ///< The channel begins to carry it.
  Nanoseconds arrival{0};  ///< The receiver can use it.
  std::int64_t bytes = 0;

  friend bool operator==(const Transfer&, const Transfer&) = default;
};

/// When everything of one lowered schedule happened: predicted by the simulator, or measured.
///
/// `spans[OpIds::Of(op)]` belongs to that op. All ops of a cell have the span of the cell. A RECV
/// has the moment it was posted, twice; a SEND too, unless it blocks its rank: then it ends at the
/// arrival. `transfers` are in the order of their SENDs' ids.
struct Timeline {
  Table<Span> spans;
  Table<Transfer> transfers;

  friend bool operator==(const Timeline&, const Timeline&) = default;
};

/// End of the last op or transfer; 0 if there is none.
Nanoseconds Makespan(const Timeline& timeline);

}  // namespace stagecraft
