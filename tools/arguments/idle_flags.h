#pragma once

#include <string>
#include <vector>

#include "engine/optimizer/optimizer.h"
#include "schedules/diagnostic.h"
#include "schedules/schedule.h"
#include "tools/arguments/idle_flag.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
}

namespace stagecraft {

/// Those of model and data. `model` and `data` are names or files.
std::vector<IdleFlag> FlagsOfModel(const std::string& model, bool model_is_file,
                                   const std::string& data);

/// Those of the optimizer, as its table of fields says.
std::vector<IdleFlag> FlagsOfOptimizer(const OptimizerOptions& options, bool predicts);

/// Whether `schedule` predicts weights of later updates.
bool PredictsUpdates(const Schedule& schedule);

/// A warning for each of `flags` that changes nothing and that was given to `app`, once.
std::vector<Diagnostic> WarnOfIdle(const CLI::App& app, const std::vector<IdleFlag>& flags);

}  // namespace stagecraft
