#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/diagnostic.h"
#include "schedules/progress.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// A condition on schedules, with the stable id that its diagnostics carry.
struct Rule {
  std::string_view id;
  std::string_view sentence;
};

std::span<const Rule> Rules();

/// Every way in which `schedule` breaks a rule, errors only; empty means that it can be simulated
/// and executed in `mode`. Never throws, never stops at the first. Of one rule at most
/// `kMaxPerRule` are listed, then one that counts the rest. O(ops + stages * microbatches).
std::vector<Diagnostic> Verify(const Schedule& schedule, SendMode mode = SendMode::kEager);

inline constexpr int kMaxPerRule = 20;

/// What `Verify` works out on its way, for those who go on to simulate or execute.
struct Examination {
  std::vector<Diagnostic> diagnostics;  ///< What `Verify` returns.
  Dependencies dependencies;            ///< Empty if the shape or an op's fields are broken.
  ExecutionOrder order;                 ///< In the send mode; complete if there are no diagnostics.
};

Examination Examine(const Schedule& schedule, SendMode mode = SendMode::kEager);

/// What is legal but worth a look, one line per stage with a count: a backward that reads another
/// version + horizon than its forward; a horizon that is not the true distance (version of its S
/// minus version read). Requires `Verify(schedule)` to be empty.
std::vector<Diagnostic> VersionWarnings(const Schedule& schedule);

}  // namespace stagecraft
