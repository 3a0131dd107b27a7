#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/ranks/job.h"
#include "engine/ranks/tcp_mesh.h"

namespace stagecraft {

/// Runs one rank of a job whose ranks are processes that somebody else has started, connected as
/// `mesh` says. Rank 0 is also the control room: it gets the reports, and returns the results of
/// all. The others return nothing.
///
/// Every rank throws if the job fails: a `JobError` with the cause on rank 0 and where it happened,
/// an `Error` elsewhere. Spans are on the clock of rank 0, with which the others compare theirs
/// before the start (engine/ranks/clock_offset.h).
std::vector<std::string> RunAsPeer(const ExecutionPlan& plan, const MakeWork& make_work,
                                   const JobOptions& options, std::int32_t rank, Mesh mesh);

}  // namespace stagecraft
