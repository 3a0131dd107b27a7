#pragma once

#include <cstdint>
#include <string_view>

#include "schedules/diagnostic.h"
#include "schedules/generators.h"
#include "schedules/registry.h"
#include "schedules/schedule.h"
#include "tools/cost_arguments.h"
#include "tools/cost_source.h"

namespace stagecraft {

/// What an automatic schedule is made for.
struct CostedMachine {
  const CostSource& source;
  const CostArguments& arguments;
  std::int32_t factor = 1;  ///< Times the given micro-batch.
  std::int32_t parts = 0;   ///< As in `CostSource::ForParts`; 0: costs are those of a stage.
};

/// Gives the options of an automatic schedule its costs, if its sizes are in range. Throws
/// `CommandFailure` (usage) if costs are out of range.
void AddEstimates(const Generator& generator, GeneratorOptions& options,
                  const CostedMachine& machine);

/// `Generate`; an automatic schedule gets its costs from `machine`, if there is one. While it is
/// searched for, progress is shown, and Ctrl-C ends the search with the best so far; then stderr
/// says how good it is.
Result<Schedule> GenerateFor(std::string_view name, GeneratorOptions options,
                             const CostedMachine* machine);

}  // namespace stagecraft
