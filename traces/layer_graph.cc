#include "traces/layer_graph.h"

#include <functional>
#include <queue>

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
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    for (const std::size_t input : graph[i].inputs) {
      if (!graph[input].removed) {
        readers[input].push_back(i);
        ++missing[i];
      }
    }
    if (missing[i] == 0 && !graph[i].removed) {
      ready.push(i);
    }
  }
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t node = ready.top();
    ready.pop();
    order.push_back(node);
    for (const std::size_t reader : readers[node]) {
      if (--missing[reader] == 0 && !graph[reader].removed) {
        ready.push(reader);
      }
    }
  }
  return order;
}

}  // namespace stagecraft
