#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

#include "engine/executor.h"

namespace stagecraft {

/// Makes what `rank` holds: one part for each stage of its placement. Called from the rank's own
/// thread.
using MakeParts = std::function<std::map<std::int32_t, StagePart>(std::int32_t rank)>;

struct ThreadJobOptions {
  std::chrono::nanoseconds deadline = std::chrono::minutes(1);  ///< Of one wait.
  Recorder* recorder = nullptr;  ///< Started when all ranks are ready.
};

/// Runs all ranks of `plan` as threads of this process and waits for them. If any rank fails, all
/// stop; throws the `JobError` of the first one.
void RunAsThreads(const ExecutionPlan& plan, const MakeParts& make_parts,
                  const ThreadJobOptions& options = {});

}  // namespace stagecraft
