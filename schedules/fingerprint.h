#pragma once

#include <string>

#include "schedules/schedule.h"

namespace stagecraft {

/// 16 hex digits: a 64-bit hash over shape, mode, placement and ops, field by field: what the
/// canonical text says without name and source. Schedules that compare equal have the same one. It
/// tells schedules apart by accident, not against an adversary. O(ops).
std::string Fingerprint(const Schedule& schedule);

/// What a schedule is called wherever it is shown: the same for one without communication and for
/// what `Lower` makes of it, whatever its policy.
struct FingerprintPair {
  std::string schedule;  ///< `Fingerprint` of the ops without SENDs and RECVs.
  std::string lowered;   ///< `Fingerprint` of all ops; equal to `schedule` if there are only those.
};

/// O(ops).
FingerprintPair FingerprintsOf(const Schedule& schedule);

}  // namespace stagecraft
