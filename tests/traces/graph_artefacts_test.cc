#include "traces/graph_artefacts.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

using std::chrono::microseconds;
using Texts = std::vector<std::string>;

/// A chain; every node reads the one before it.
LayerGraph Chain(const std::vector<std::string>& descriptions) {
  LayerGraph graph;
  for (const std::string& description : descriptions) {
    GraphNode& node = graph.emplace_back();
    node.id = "node" + std::to_string(graph.size());
    node.description = description;
    node.line = static_cast<std::int64_t>(graph.size());
    node.forward = microseconds{1000};
    node.backward = microseconds{2000};
    if (graph.size() > 1) {
      node.inputs = {graph.size() - 2};
    }
  }
  return graph;
}

Texts Sentences(const std::vector<Artefact>& artefacts) {
  Texts texts;
  for (const Artefact& artefact : artefacts) {
    texts.push_back(std::to_string(artefact.line) + ": " + artefact.sentence);
  }
  return texts;
}

/// What is found beside the sentence that is always there.
Texts Found(const LayerGraph& graph) {
  Texts texts = Sentences(FindArtefacts(graph, TopologicalOrder(graph)));
  EXPECT_EQ(texts.back(), "0: there are no times of the optimizer step");
  texts.pop_back();
  return texts;
}

TEST(RemovePseudoNodes, RemovesInputsAndReadsNothingIntoOtherNames) {
  LayerGraph graph = Chain({"Input", "Input12", "Inputs", "InputLayer(3)", "Linear(1, 2)"});
  graph[0].forward = microseconds{17972};
  EXPECT_EQ(Sentences(RemovePseudoNodes(graph)),
            (Texts{"1: node1 Input: removed; its forward, 17.972 ms, is data loading",
                   "2: node2 Input12: removed; its forward, 1 ms, is data loading"}));
  EXPECT_TRUE(graph[0].removed && graph[1].removed);
  EXPECT_FALSE(graph[2].removed || graph[3].removed || graph[4].removed);
}

// 2 and 3 are parts that nobody reads, 3 of 2; 4 is read by 5, which is not a part.
TEST(RemovePseudoNodes, RemovesPartsThatNobodyReads) {
  LayerGraph graph =
      Chain({"LSTM(1)", "__getitem__(0)", "__getitem__(1)", "__getitem__(2)", "Add"});
  graph[3].inputs = {0};
  graph[4].inputs = {3};
  EXPECT_EQ(Sentences(RemovePseudoNodes(graph)),
            Texts{"3: 2 `__getitem__` nodes that nobody reads: removed"});
  EXPECT_TRUE(graph[1].removed && graph[2].removed);
  EXPECT_FALSE(graph[0].removed || graph[3].removed || graph[4].removed);
}

TEST(FindArtefacts, FindsNothingInACleanGraph) {
  EXPECT_EQ(Found(Chain({"A", "B"})), Texts{});
}

TEST(FindArtefacts, FlagsAFirstLayerThatIsSlowerForwardThanBackward) {
  LayerGraph graph = Chain({"Pad", "Conv2d(3, 64)", "Conv2d(64, 64)"});
  graph[1].parameter_bytes = graph[2].parameter_bytes = 4;
  graph[1].forward = microseconds{2001};
  EXPECT_EQ(Found(graph),
            Texts{"2: the first layer with weights, node2 Conv2d, has a forward longer than its "
                  "backward (2.001 ms, 2 ms): it probably includes a wait of the host; unchanged"});
  graph[1].forward = graph[1].backward;
  EXPECT_EQ(Found(graph), Texts{});
}

TEST(FindArtefacts, FlagsBackwardsBookedOnANeighbour) {
  LayerGraph graph = Chain({"Embedding(9)", "LSTM(1)", "LSTM(2)"});
  graph[1].backward = microseconds{99};    // Below a tenth of 1000.
  graph[0].backward = microseconds{4001};  // Above four times 1000.
  EXPECT_EQ(Found(graph),
            (Texts{"2: 1 layer has a backward below a tenth of the forward: its time was probably "
                   "booked on a neighbour; the first is node2 LSTM; unchanged",
                   "1: 1 layer has a backward above four times the forward: it probably holds a "
                   "neighbour's time; the first is node1 Embedding; unchanged"}));
  graph[1].backward = microseconds{100};
  graph[0].backward = microseconds{4000};
  EXPECT_EQ(Found(graph), Texts{});
}

TEST(FindArtefacts, FlagsOutputsThatAreCountedTwice) {
  EXPECT_EQ(
      Found(Chain({"ReLU(inplace)", "__getitem__(0)", "ReLU(inplace=True)"})),
      (Texts{"1: 2 layers have an output that overwrites the input (`inplace`): its bytes are "
             "counted a second time; the first is node1 ReLU; unchanged",
             "2: 1 layer has an output that is a part of the input (`__getitem__`): its bytes "
             "are counted a second time; the first is node2 __getitem__; unchanged"}));
}

TEST(FindArtefacts, FlagsLayersWithoutTimes) {
  LayerGraph graph = Chain({"A", "Add(inputs)"});
  graph[1].forward = graph[1].backward = Nanoseconds{0};
  EXPECT_EQ(Found(graph),
            Texts{"2: 1 layer has no time at all (below the profiler's resolution, or not "
                  "profiled); the first is node2 Add; unchanged"});
}

TEST(FindArtefacts, FlagsForwardsTimedWithoutWaitingForTheDevice) {
  LayerGraph graph = Chain({"A", "B"});
  graph[0].forward = graph[1].forward = microseconds{100};  // 0.2 ms of 4 ms.
  EXPECT_EQ(Found(graph).front(),
            "0: all forwards take 0.2 ms, less than a fifth of all backwards, 4 ms: they were "
            "probably timed without waiting for the device; unchanged");
}

TEST(FindArtefacts, LooksOnlyAtLayersThatStay) {
  LayerGraph graph = Chain({"Input", "A"});
  RemovePseudoNodes(graph);
  graph[0].backward = Nanoseconds{0};
  EXPECT_EQ(Found(graph), Texts{});
}

}  // namespace
}  // namespace stagecraft
