#pragma once

#include <span>
#include <string_view>

#include "schedules/diagnostic.h"
#include "schedules/generator.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// All of them, in the order of the listing.
std::span<const Generator> Generators();

/// Null if there is none of that name.
const Generator* FindGenerator(std::string_view name);

/// Looks up, checks and makes. An unknown name gets a did-you-mean. Where the schedule needs more
/// than its generator states, a warning beside it says so.
Result<Schedule> Generate(std::string_view name, const GeneratorOptions& options);

}  // namespace stagecraft
