#pragma once

#include <string>

#include "schedules/schedule.h"

namespace stagecraft {

/// 16 hex digits: 64-bit FNV-1a over shape, mode, placement and ops, field by field. Schedules
/// that compare equal have the same; `name`, `source` and comments take no part.
std::string Fingerprint(const Schedule& schedule);

}  // namespace stagecraft
