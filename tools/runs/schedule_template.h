#pragma once

#include <string_view>

namespace stagecraft {

/// A `*.sched` file to begin with: small, right, and with comments that say what each line means.
std::string_view ScheduleTemplate();

}  // namespace stagecraft
