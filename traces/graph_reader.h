#pragma once

#include <string_view>

#include "schedules/diagnostic.h"
#include "traces/layer_graph.h"

namespace stagecraft {

/// The nodes and edges of a PipeDream `graph.txt`, unchanged. Reports every fault as
/// `file:line:column`. Inputs are ascending and each there once.
Result<LayerGraph> ReadGraph(std::string_view text, std::string_view file);

}  // namespace stagecraft
