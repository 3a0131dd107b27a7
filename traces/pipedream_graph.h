#pragma once

#include <cstdint>
#include <string_view>

#include "schedules/diagnostic.h"
#include "traces/layer_profile.h"

namespace stagecraft {

/// Reads a PipeDream profile, `graph.txt`: nodes with milliseconds and bytes per mini-batch, then
/// the edges between them.
///
///   node2 -- Conv2d(3, 64, ...) -- forward_compute_time=22.307, backward_compute_time=24.613,
///            activation_size=1644167168.000, parameter_size=7168.000      (one line in the file)
///   <tab>node2 -- node3
///
/// The layers are the nodes in topological order; of those that are ready, the first in the file
/// comes first. Removed, each with a warning: `Input` nodes, whose time is data loading, and
/// `__getitem__` nodes that nobody reads. Every other artefact of the profiler that a rule finds
/// stays as it is and gets a warning that states the rule; `Profile::source.notes` repeats them.
/// The batch size is not in the file and must be given.
///
/// Source of the format: the profiler of PipeDream (Narayanan et al., SOSP 2019).
Result<Profile> ParsePipeDreamGraph(std::string_view text, std::string_view file,
                                    std::int64_t batch_size);

/// Longer text is refused before it is read.
inline constexpr std::size_t kMaxGraphBytes = std::size_t{16} << 20;

}  // namespace stagecraft
