#pragma once

#include <array>
#include <string>
#include <string_view>

#include "schedules/diagnostic.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// The first line of every `*.sched` file.
inline constexpr std::string_view kTextHeader = "stagecraft schedule 1";

/// What each further line begins with; `schedules/format.md` explains them.
inline constexpr std::array<std::string_view, 6> kTextKeywords = {"name", "source", "shape",
                                                                  "mode", "place",  "rank"};

/// The canonical text form (`*.sched`); `Parse(Print(s)) == s` and printing is a fixed point.
std::string Print(const Schedule& schedule);

/// Reads the text form. `file` is named in the diagnostics (`file:line:column`). Reports every
/// fault, never throws on bad text, and allocates in proportion to `text`. What the text says may
/// still be a wrong schedule: see `Verify`.
Result<Schedule> Parse(std::string_view text, std::string_view file);

}  // namespace stagecraft
