#pragma once

#include <cstdint>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "traces/timeline.h"

namespace stagecraft {

inline constexpr std::int32_t kNoTransfer = -1;

/// The transfers of a lowered schedule, numbered by the ids of their SENDs.
struct TransferIndex {
  Table<Transfer> transfers;    ///< Without times.
  OpTable<std::int32_t> of_op;  ///< The transfer that a SEND makes, a RECV posts, an F, B or I
                                ///< waits for; else `kNoTransfer`.
};

/// Requires a verified schedule whose edges between ranks all have their SEND and RECV. O(ops).
TransferIndex IndexTransfers(const Schedule& schedule, const Dependencies& dependencies);

}  // namespace stagecraft
