#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "schedules/progress.h"
#include "schedules/tables.h"
#include "traces/timeline.h"

namespace stagecraft {

/// The machine: every directed pair of ranks is a channel of its own with these figures.
struct Topology {
  Nanoseconds latency{0};
  double bandwidth = 0;  ///< Bytes per second; 0: transfers take the latency only.
  SendMode send = SendMode::kEager;
  Table<double> speed{};  ///< Relative speed per rank; empty, or missing behind the end: 1.

  double SpeedOf(std::int32_t rank) const { return rank < speed.Count() ? speed[rank] : 1.0; }
};

}  // namespace stagecraft
