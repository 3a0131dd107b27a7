#pragma once

#include <string>
#include <vector>

#include "engine/ranks/job.h"

namespace stagecraft {

/// Runs each rank of `plan` in a process of its own, forked from this one, which must have no other
/// threads; ranks that talk are connected by socket pairs. Returns the result of each rank.
///
/// If a rank fails or dies, all others stop at the latest when the deadline passes. Throws a
/// `JobError` with the cause: a rank that was killed counts before those that missed it.
std::vector<std::string> RunAsProcesses(const ExecutionPlan& plan, const MakeWork& make_work,
                                        const JobOptions& options = {});

}  // namespace stagecraft
