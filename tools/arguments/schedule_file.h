#pragma once

#include <optional>
#include <string>

#include "schedules/placements.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// Whether a file of this name is read and written in torch's format.
bool IsTorchFile(const std::string& file);

/// Reads a schedule: torch's format if the name ends in `.csv`, else our own text; `-` is standard
/// input. Prints warnings. Throws `CommandFailure`: usage with everything that is wrong with the
/// text; refused, with cells named, if what a torch file says breaks a rule. `placement` is what a
/// torch file must have.
Schedule ReadSchedule(const std::string& file,
                      const std::optional<Placement>& placement = std::nullopt);

}  // namespace stagecraft
