#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "sim/metrics.h"
#include "tools/runs/simulated_run.h"

namespace stagecraft {

/// What `simulate --json` prints: see `simulate.schema.json`. `with_ops`: also when each op and
/// each transfer begins and ends.
nlohmann::ordered_json RunToJson(const SimulatedRun& run, bool with_ops);

/// What `simulate` prints for people.
std::string RunToText(const SimulatedRun& run);

/// A line per rank: busy, idle by cause, peak memory.
std::string RanksToText(const SimulatedRun& run);

/// `82cf...`, and where the schedule has communication `82cf... (with its sends and receives
/// a01b...)`.
std::string FingerprintsToText(const Schedule& schedule);

/// A line on whether every rank has room for what it holds; empty if room is unlimited.
std::string MemoryToText(const SimulatedRun& run);

/// Whether no rank holds more than `memory` says; true if that is empty.
bool Fits(const Metrics& metrics, std::span<const std::int64_t> memory);

/// `note: ...` per sentence, or nothing.
std::string NotesToText(const std::vector<std::string>& derived);

/// The name of `schedule`, which may be of a file, or `schedule`: part of a line.
std::string ShownName(const Schedule& schedule);

/// `3`, or `-` where there is none.
std::string OrDash(const std::optional<std::int32_t>& value);

}  // namespace stagecraft
