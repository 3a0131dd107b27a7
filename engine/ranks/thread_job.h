#pragma once

#include <string>
#include <vector>

#include "engine/ranks/job.h"

namespace stagecraft {

/// Runs all ranks of `plan` as threads of this process and waits for them; returns the result of
/// each. If any rank fails, all stop; throws the `JobError` of the first one.
std::vector<std::string> RunAsThreads(const ExecutionPlan& plan, const MakeWork& make_work,
                                      const JobOptions& options = {});

}  // namespace stagecraft
