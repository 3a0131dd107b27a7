#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"

namespace stagecraft {

/// The flag that is called like `option`: `--update-every` for `update_every`.
std::string FlagCalled(std::string_view option);

/// The flag that sets an option of `GeneratorOptions` or `TrainingTask`: `-p` for `ranks`,
/// `--update-every` for `update_every`; empty if there is no such option.
std::string FlagOf(std::string_view option);

/// `text` of the library with a flag in place of each option that it names in backquotes:
/// "expected `chunks` of at least 2" becomes "expected --chunks of at least 2".
std::string WithFlags(std::string_view text);

/// The same for the messages of `diagnostics`.
std::vector<Diagnostic> WithFlags(std::vector<Diagnostic> diagnostics);

}  // namespace stagecraft
