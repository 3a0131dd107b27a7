#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "traces/timeline.h"

namespace stagecraft {

/// A node of a PipeDream graph as it stands in the file; see pipedream_graph.h.
struct GraphNode {
  std::string id;           ///< `node2`.
  std::string description;  ///< `Conv2d(3, 64, ...)`.
  Nanoseconds forward{0};
  Nanoseconds backward{0};
  std::int64_t output_bytes = 0;  ///< Bytes of its output; of a list of tensors their sum.
  std::int64_t parameter_bytes = 0;
  std::int64_t line = 0;              ///< Its line in the file, from 1.
  std::optional<std::int32_t> stage;  ///< As PipeDream's optimizer placed it; nullopt: it did not.
  std::vector<std::size_t> inputs;    ///< Indices of the nodes that it reads.
  bool removed = false;               ///< It is no layer, see graph_artefacts.h.
};

/// Nodes in file order.
using LayerGraph = std::vector<GraphNode>;

/// How many of the nodes that are not removed read each node.
std::vector<std::size_t> CountReaders(const LayerGraph& graph);

/// The nodes that are not removed, each after its inputs; of those that are ready one of the lowest
/// stage comes first, and of these the first in the file. So stages stand one behind the other
/// wherever the graph allows it. Shorter than the graph if nodes wait for each other. O(n log n).
std::vector<std::size_t> TopologicalOrder(const LayerGraph& graph);

/// Positions in `order` at which a further stage begins, if every node of it has a stage and stages
/// stand one behind the other; else nullopt.
std::optional<std::vector<std::int32_t>> PlannedCut(const LayerGraph& graph,
                                                    const std::vector<std::size_t>& order);

}  // namespace stagecraft
