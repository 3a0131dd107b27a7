#include "traces/layer_graph.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

LayerGraph Graph(const std::vector<std::vector<std::size_t>>& inputs) {
  LayerGraph graph(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    graph[i].inputs = inputs[i];
  }
  return graph;
}

using Order = std::vector<std::size_t>;

// File order 0 1 2 3, edges 3 -> 0, 3 -> 1, 0 -> 2: 3 is ready first, then 0 and 1, of which 0
// comes first in the file; after it 2 is ready too, but 1 comes before 2.
TEST(TopologicalOrder, TakesTheFirstInTheFileOfThoseThatAreReady) {
  EXPECT_EQ(TopologicalOrder(Graph({{3}, {3}, {0}, {}})), (Order{3, 0, 1, 2}));
  EXPECT_EQ(TopologicalOrder(Graph({{}, {}, {}})), (Order{0, 1, 2}));
}

TEST(TopologicalOrder, LeavesOutRemovedNodesAndTheirEdges) {
  LayerGraph graph = Graph({{1}, {}, {1}});
  graph[1].removed = true;
  EXPECT_EQ(TopologicalOrder(graph), (Order{0, 2}));
}

TEST(TopologicalOrder, StopsAtACycle) {
  EXPECT_EQ(TopologicalOrder(Graph({{}, {2}, {1}, {2}, {0}})), (Order{0, 4}));
  EXPECT_EQ(TopologicalOrder(Graph({{0}})), Order{});
}

TEST(CountReaders, CountsThoseThatAreNotRemoved) {
  LayerGraph graph = Graph({{}, {0}, {0, 1}});
  EXPECT_EQ(CountReaders(graph), (Order{2, 1, 0}));
  graph[2].removed = true;
  EXPECT_EQ(CountReaders(graph), (Order{1, 0, 0}));
}

// No plan is not the same as one of a single stage.
TEST(PlannedCut, IsWhereStagesBegin) {
  using Cut = std::vector<std::int32_t>;
  LayerGraph graph = Graph({{}, {0}, {1}});
  const Order order{0, 1, 2};
  EXPECT_FALSE(PlannedCut(graph, order));
  graph[0].stage = graph[1].stage = 0;
  EXPECT_FALSE(PlannedCut(graph, order));
  graph[2].stage = 0;
  EXPECT_EQ(PlannedCut(graph, order), Cut{});
  graph[2].stage = 1;
  EXPECT_EQ(PlannedCut(graph, order), Cut{2});
  graph[0].stage = 1;
  EXPECT_FALSE(PlannedCut(graph, order));
}

}  // namespace
}  // namespace stagecraft
