#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schedules/diagnostic.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// Where RECVs are put. SENDs stand right after their producer, or its cell, in every policy.
struct ReceivePolicy {
  enum class Kind : std::uint8_t {
    kEarly,       ///< Together with the matching SEND, in one global order: torch's.
    kJustInTime,  ///< Right before the consumer.
    kLookahead,   ///< `lookahead` compute ops before the consumer.
  };
  Kind kind = Kind::kEarly;
  std::int32_t lookahead = 0;  ///< Compute ops, at least 0; used by kLookahead only.
};

/// Reads `early`, `just-in-time`, `lookahead:K`.
Result<ReceivePolicy> ParseReceivePolicy(std::string_view text);
std::string ToString(const ReceivePolicy& policy);

/// Adds SENDs and RECVs for every edge between ranks. The last two policies post a receive earlier
/// where the order of its channel needs it. Requires: `Verify(schedule)` is empty and the schedule
/// has no communication yet. O(ops).
Schedule Lower(const Schedule& schedule, const ReceivePolicy& policy = {});

/// The schedule without its SENDs and RECVs: the inverse of `Lower`.
Schedule EraseCommunication(const Schedule& schedule);

}  // namespace stagecraft
