#pragma once

#include <cstdint>
#include <optional>

#include "schedules/schedule.h"

namespace stagecraft {

/// Steps of torch.distributed.pipelining's dry run (`_simulate_comms_compute`), in which every
/// action takes one, and each member of a cell: in each step the ranks, ascending, run their next
/// action if what it needs has run, be it in this step; then those that could not try once more.
/// Steps of the optimizer don't count. Nothing if it gets stuck. It matches transfers by stage and
/// micro-batch, so that it accepts lists whose channels are out of order, which `Verify` does not.
std::optional<std::int64_t> DryRunSteps(const Schedule& schedule);

}  // namespace stagecraft
