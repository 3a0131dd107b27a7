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

/// The costs and the machine that a schedule is made for, if it depends on them.
struct CostedMachine {
  const CostSource& source;        ///< What ops and weights cost.
  const CostArguments& arguments;  ///< What ranks, channels and memory there are.
  CostScale scale{};               ///< As in a comparison.
};

/// Adds the estimated costs of every stage, and the room that `--memory` leaves for activations, to
/// the options of a generator that takes them; not if its other options are out of range. Throws
/// `CommandFailure` (usage) if costs are out of range.
void AddEstimates(const Generator& generator, GeneratorOptions& options,
                  const CostedMachine& machine);

/// `Generate`; a generator that takes costs gets them from `machine`, if there is one, and stays
/// within `--memory` where it can. Options that are refused are named by their flags. While an
/// automatic schedule is searched for, progress is shown, and Ctrl-C ends the search with the best
/// so far; then stderr says how good it is.
Result<Schedule> GenerateFor(std::string_view name, GeneratorOptions options,
                             const CostedMachine* machine);

}  // namespace stagecraft
