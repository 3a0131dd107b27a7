#pragma once

#include <string>
#include <vector>

#include "traces/layer_graph.h"

namespace stagecraft {

/// Something in a PipeDream profile that is not what it looks like.
struct Artefact {
  /// Line of the first node it was found at; 0 if it is about the whole file.
  std::int64_t line = 0;
  std::string sentence;  ///< What was found where, by which rule, and what was done.
};

/// Removes what is not part of the model and tells of it: `Input` nodes, and `__getitem__` nodes
/// that nobody reads.
std::vector<Artefact> RemovePseudoNodes(LayerGraph& graph);

/// Looks for the other known artefacts of the profiler, which stay in the graph. `order` has the
/// layers, as `TopologicalOrder` gives them.
std::vector<Artefact> FindArtefacts(const LayerGraph& graph, const std::vector<std::size_t>& order);

}  // namespace stagecraft
