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

/// The flags of model and data, each with the reason if it changes nothing. `model` and `data` are
/// names or files, as on the command line.
std::vector<IdleFlag> FlagsOfModel(const std::string& model, bool model_is_file,
                                   const std::string& data);

/// The same for the flags of the optimizer, as `OptimizerFields` says. `predicts`: whether the
/// schedule predicts weights of later updates.
std::vector<IdleFlag> FlagsOfOptimizer(const OptimizerOptions& options, bool predicts);

/// Whether `schedule` predicts weights of later updates.
bool PredictsUpdates(const Schedule& schedule);

/// One warning for each of `flags` that changes nothing and was given to `app`.
std::vector<Diagnostic> WarnOfIdle(const CLI::App& app, const std::vector<IdleFlag>& flags);

}  // namespace stagecraft
