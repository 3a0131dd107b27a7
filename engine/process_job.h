#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "engine/thread_job.h"

namespace stagecraft {

struct ProcessJobOptions {
  std::chrono::nanoseconds deadline = std::chrono::minutes(1);  ///< Of one wait.
  Recorder* recorder = nullptr;                                 ///< Gets the spans of all ranks.
  /// Called in the process of each rank when its program has run and its parts are gone: what it
  /// returns is a result.
  std::function<std::string(std::int32_t rank)> result_of_rank{};
};

/// Runs each rank of `plan` in a process of its own, forked from this one, which must have no other
/// threads; ranks that talk are connected by socket pairs. Returns the result of each rank, empty
/// without `result_of_rank`.
///
/// If a rank fails or dies, all others stop at the latest when the deadline passes. Throws a
/// `JobError` with the cause: a rank that was killed counts before those that missed it.
std::vector<std::string> RunAsProcesses(const ExecutionPlan& plan, const MakeParts& make_parts,
                                        const ProcessJobOptions& options = {});

}  // namespace stagecraft
