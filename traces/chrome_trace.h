#pragma once

#include <span>
#include <string>

#include "schedules/activations.h"
#include "schedules/schedule.h"
#include "traces/timeline.h"

namespace stagecraft {

/// Chrome Trace Event JSON of a timeline: a process per rank with the threads compute, send, recv
/// and update; a slice per op; an arrow per transfer; counters for memory (bytes), activation sets
/// and weight versions alive. `sizes` has one entry per stage. Same arguments, same bytes.
/// Opens in Perfetto and in Catapult's viewer.
std::string ChromeTrace(const Schedule& schedule, const Timeline& timeline,
                        std::span<const StageSizes> sizes);

/// gzip of `text`, without time stamp or name in the header. Throws `Error` if zlib does.
std::string Gzip(const std::string& text);

}  // namespace stagecraft
