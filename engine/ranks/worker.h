#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>

#include "engine/ranks/descriptor.h"
#include "engine/ranks/job.h"

namespace stagecraft {

/// What one rank of a job of processes runs with.
struct WorkerSeat {
  std::int32_t rank = 0;
  std::map<std::int32_t, Descriptor> sockets{};  ///< Connected to the ranks that it talks to.
  int control = -1;                              ///< Connected to the `ControlRoom`.
  std::atomic<std::int32_t>* position = nullptr;
  bool shares_clock = true;  ///< With the control room; else the two clocks are compared.
};

/// Makes and runs the work of one rank, from its set-up to its result, and tells the control room
/// how it goes. Returns what went wrong here; nothing if it ran, or another rank ended the job.
std::optional<Failure> RunWorker(const ExecutionPlan& plan, const MakeWork& make_work,
                                 const JobOptions& options, WorkerSeat seat);

}  // namespace stagecraft
