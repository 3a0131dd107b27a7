#pragma once

#include <string_view>

#include "schedules/diagnostic.h"
#include "traces/layer_graph.h"

namespace stagecraft {

/// The nodes and edges of a PipeDream `graph.txt`, unchanged. Reports every fault as
/// `file:line:column`. The inputs of a node ascend, and each is there once.
Result<LayerGraph> ReadGraph(std::string_view text, std::string_view file);

}  // namespace stagecraft
