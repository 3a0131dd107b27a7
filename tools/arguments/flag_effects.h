#pragma once

#include <optional>
#include <vector>

#include "tools/arguments/idle_flag.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
}

namespace stagecraft {

/// The flags that change nothing for the schedules, model, data and optimizer that the command line
/// of `app` names, as far as names alone tell; nullopt if it names none of them. The tables of
/// generators, options, costs and optimizers decide. A schedule from a file may hold any op.
std::optional<std::vector<IdleFlag>> FlagsWithoutEffect(const CLI::App& app);

}  // namespace stagecraft
