#pragma once

#include <cstdint>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "traces/timeline.h"

namespace stagecraft {

inline constexpr std::int32_t kNoTransfer = -1;

inline bool IsSend(OpKind kind) {
  return kind == OpKind::kSendForward || kind == OpKind::kSendBackward;
}
inline bool IsRecv(OpKind kind) {
  return kind == OpKind::kRecvForward || kind == OpKind::kRecvBackward;
}

/// The transfers of a lowered schedule, numbered by the ids of their SENDs.
struct TransferIndex {
  std::vector<Transfer> transfers;  ///< Without times.
  std::vector<std::int32_t> of_op;  ///< Per op id: the transfer that a SEND makes, a RECV posts, an
                                    ///< F, B or I waits for; else `kNoTransfer`.
};

/// Requires a verified schedule whose edges between ranks all have their SEND and RECV. O(ops).
TransferIndex IndexTransfers(const Schedule& schedule, const Dependencies& dependencies);

}  // namespace stagecraft
