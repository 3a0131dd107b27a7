#pragma once

#include <span>
#include <string>

#include "schedules/activations.h"
#include "schedules/schedule.h"
#include "traces/gzip.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Chrome Trace Event JSON of a timeline. Opens in Perfetto and in Catapult's viewer; the same
/// arguments give the same bytes. Times are microseconds with at most three decimals.
///
///   process "rank 1 (stage 1)"         pid = rank
///     thread compute                   F0  F1 B0    F2 B1     a slice per op; kind first, so that
///     thread send                        |    |        |      Perfetto colours by kind
///     thread recv                      |     |    |
///     thread update                              S@0   S@1
///     counters                         memory, activations, weights, staleness
///
/// An arrow per transfer leads from the op that made the tensor to the op that uses it. Where that
/// op takes no time, no viewer can bind an arrow to it: then it starts at a SEND that takes time,
/// else it is left out, as is one that would run backwards in time (clocks of measured ranks).
/// The members of a cell have one span; they are drawn nested, each two nanoseconds inside the one
/// before, so that arrows tell them apart.
///
/// `otherData` has the name and both fingerprints of the schedule (`FingerprintsOf`).
///
/// Requires: `Verify(schedule)` empty; `timeline` is of this schedule, with times not below 0;
/// `sizes` has one entry per stage. O(ops), about 200 bytes per op.
std::string ChromeTrace(const Schedule& schedule, const Timeline& timeline,
                        std::span<const StageSizes> sizes);

}  // namespace stagecraft
