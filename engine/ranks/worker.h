#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>

#include "engine/ranks/descriptor.h"
#include "engine/ranks/job.h"

namespace stagecraft {

/// What the process of one rank works with.
struct WorkerSeat {
  std::int32_t rank = 0;
  std::map<std::int32_t, Descriptor> sockets{};  ///< By the rank at the other end.
  int control = -1;                              ///< Connected to the `ControlRoom`.
  std::atomic<std::int32_t>* position = nullptr;
  bool shares_clock = true;  ///< Whether the control room's clock is the same.
};

/// Makes and runs the work of one rank, from its set-up to its result, and tells the control room
/// how it goes. Returns what went wrong here; nullopt if it ran, or another rank ended the job.
std::optional<Failure> RunWorker(const ExecutionPlan& plan, const MakeWork& make_work,
                                 const JobOptions& options, WorkerSeat seat);

}  // namespace stagecraft
