#pragma once

#include <string>

#include "schedules/schedule.h"

namespace stagecraft {

/// 16 hex digits: a 64-bit hash over shape, mode, placement and ops, field by field: what the
/// canonical text says without name and source. Schedules that compare equal have the same one. It
/// tells schedules apart by accident, not against an adversary. O(ops).
std::string Fingerprint(const Schedule& schedule);

}  // namespace stagecraft
