#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// How a SEND waits. `kEager`: never. `kRendezvous`: the transfer waits for the RECV to be posted,
/// the sender goes on. `kBlocking`: the sender's rank also waits for the arrival.
enum class SendMode : std::uint8_t { kEager, kRendezvous, kBlocking };

std::string_view ToString(SendMode mode);

/// One link of a wait-for cycle: `op` cannot start before `waits_for` has run.
struct Wait {
  OpRef op;
  OpRef waits_for;
};

/// An order in which all ops can run, or why there is none.
struct ExecutionOrder {
  Table<OpRef> order;  ///< Every op that can run, each after all it waits for; a RECV stands
                       ///< where it is posted. The ops of a cell stand together.
  Table<Wait> cycle;   ///< A shortest cycle of waits; empty unless ops wait for each other.
  Table<Wait> stuck;   ///< First op that cannot run on each rank that stops, with its wait.
};

/// Runs the programs against each other without time. A RECV only posts: what waits for the data
/// is its consumer. Complete (`order` holds every op) if and only if the schedule is free of
/// deadlock in `mode`. Deterministic: ranks are advanced in a fixed order. O(ops).
ExecutionOrder OrderOps(const Schedule& schedule, const Dependencies& dependencies, SendMode mode);

}  // namespace stagecraft
