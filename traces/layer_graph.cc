#include "traces/layer_graph.h"

#include <functional>
#include <queue>
#include <utility>

namespace stagecraft {

std::vector<std::size_t> CountReaders(const LayerGraph& graph) {
  std::vector<std::size_t> readers(graph.size(), 0);
  for (const GraphNode& node : graph) {
    for (const std::size_t input : node.inputs) {
      readers[input] += node.removed ? 0U : 1U;
    }
  }
  return readers;
}

std::vector<std::size_t> TopologicalOrder(const LayerGraph& graph) {
  std::vector<std::vector<std::size_t>> readers(graph.size());
  std::vector<std::size_t> missing(graph.size(), 0);

  using Ready = std::pair<std::int32_t, std::size_t>;
  std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready;
  const auto add = [&](std::size_t node) { ready.push({graph[node].stage.value_or(0), node}); };
  for (std::size_t i = 0; i < graph.size(); ++i) {
    for (const std::size_t input : graph[i].inputs) {
      if (!graph[input].removed) {
        readers[input].push_back(i);
        ++missing[i];
      }
    }
    if (missing[i] == 0 && !graph[i].removed) {
      add(i);
    }
  }

  // Kahn's algorithm: a node is ready when all its inputs are placed.
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t node = ready.top().second;
    ready.pop();
    order.push_back(node);
    for (const std::size_t reader : readers[node]) {
      if (--missing[reader] == 0 && !graph[reader].removed) {
        add(reader);
      }
    }
  }
  return order;
}

std::optional<std::vector<std::int32_t>> PlannedCut(const LayerGraph& graph,
                                                    const std::vector<std::size_t>& order) {
  std::vector<std::int32_t> cut;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::optional<std::int32_t> stage = graph[order[i]].stage;
    const std::optional<std::int32_t> before = i == 0 ? stage : graph[order[i - 1]].stage;
    if (!stage || !before || *stage < *before) {
      return std::nullopt;
    }
    if (*stage > *before) {
      cut.push_back(static_cast<std::int32_t>(i));
    }
  }
  return cut;
}

}  // namespace stagecraft
