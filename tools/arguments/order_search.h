#pragma once

#include <cstdint>
#include <string_view>

#include "schedules/diagnostic.h"
#include "schedules/generator.h"
#include "schedules/registry.h"
#include "schedules/schedule.h"
#include "tools/arguments/cost_arguments.h"
#include "tools/arguments/cost_source.h"

namespace stagecraft {

/// What a schedule with limited memory, or one that is searched for, is made for.
struct CostedMachine {
  const CostSource& source;
  const CostArguments& arguments;
  CostScale scale{};
};

/// Gives the options of a generator that takes them its costs, and the room that `--memory` leaves
/// for activations, if its sizes are in range. Throws `CommandFailure` (usage) if costs are out of
/// range.
void AddEstimates(const Generator& generator, GeneratorOptions& options,
                  const CostedMachine& machine);

/// `Generate`; a generator that takes costs gets them from `machine`, if there is one, and stays
/// within `--memory` where it can. While an automatic schedule is searched for, progress is shown,
/// and Ctrl-C ends the search with the best so far; then stderr says how good it is.
Result<Schedule> GenerateFor(std::string_view name, GeneratorOptions options,
                             const CostedMachine* machine);

}  // namespace stagecraft
