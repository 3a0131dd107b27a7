#include "traces/pipedream_graph.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

// A small recurrent network in the order in which the profiler might write it:
//
//   node1 (Input) -> node2 -> node3 -> node5 -> node6
//                         \-> node4 (unread)    ^
//                    node2 ---------------------'
constexpr std::string_view kGraph =
    "node3 -- __getitem__(0) -- forward_compute_time=0.000, backward_compute_time=0.000, "
    "activation_size=600.0, parameter_size=0.000\n"
    "node2 -- LSTM(8, 8) -- forward_compute_time=3.190, backward_compute_time=5.348, "
    "activation_size=[600.0; 100.0; 100.0], parameter_size=4096.000\n"
    "node4 -- __getitem__(1) -- forward_compute_time=0.000, backward_compute_time=0.000, "
    "activation_size=100.0, parameter_size=0.000\n"
    "node1 -- Input0 -- forward_compute_time=9.000, backward_compute_time=0.000, "
    "activation_size=0.0, parameter_size=0.000\n"
    "node6 -- Add -- forward_compute_time=0.100, backward_compute_time=0.200, "
    "activation_size=600.0, parameter_size=0.000\n"
    "node5 -- Dropout(p=0.2) -- forward_compute_time=0.064, backward_compute_time=0.128, "
    "activation_size=600.0, parameter_size=0.000\n"
    "\tnode1 -- node2\n"
    "\tnode2 -- node3\n"
    "\tnode2 -- node4\n"
    "\tnode3 -- node5\n"
    "\tnode5 -- node6\n"
    "\tnode2 -- node6\n";

TEST(ParsePipeDreamGraph, MakesATopologicalChainOfTheLayers) {
  const Profile profile = OrThrow(ParsePipeDreamGraph(kGraph, "graph.txt", 32));
  EXPECT_EQ(profile.microbatch_sizes, std::vector<std::int64_t>{32});
  ASSERT_EQ(profile.layers.size(), 4U);

  const std::vector<std::string> names{"node2 LSTM(8, 8)", "node3 __getitem__(0)",
                                       "node5 Dropout(p=0.2)", "node6 Add"};
  const std::vector<std::vector<std::int32_t>> inputs{{}, {0}, {1}, {0, 2}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(profile.layers[i].name, names[i]);
    EXPECT_EQ(profile.layers[i].inputs, inputs[i]);
  }

  const MeasuredCosts& lstm = profile.layers[0].at.at(0);
  EXPECT_EQ(lstm.forward, Nanoseconds{3'190'000});
  EXPECT_EQ(lstm.backward, Nanoseconds{5'348'000});
  EXPECT_EQ(lstm.output_bytes, 800);
  EXPECT_EQ(lstm.activation_bytes, std::nullopt);
  EXPECT_EQ(profile.layers[0].parameter_bytes, 4096);
  EXPECT_EQ(profile.layers[0].optimizer_bytes, std::nullopt);

  EXPECT_TRUE(CheckProfile(profile).empty());
}

TEST(ParsePipeDreamGraph, WarnsOfEveryArtefactAndNotesIt) {
  const Result<Profile> result = ParsePipeDreamGraph(kGraph, "graph.txt", 32);
  std::vector<std::string> texts;
  std::string notes;

  for (const Diagnostic& warning : result.diagnostics) {
    texts.push_back(ToString(warning));
    notes += (notes.empty() ? "" : ". ") + warning.message;
  }

  EXPECT_EQ(
      texts,
      (std::vector<std::string>{
          "graph.txt:4: warning: node1 Input0: removed; its forward, 9 ms, is data loading",
          "graph.txt:3: warning: 1 `__getitem__` node that nobody reads: removed",
          "graph.txt:1: warning: 1 layer has an output that is a part of the input "
          "(`__getitem__`): its bytes are counted a second time; the first is node3 __getitem__; "
          "unchanged",
          "graph.txt:1: warning: 1 layer has no time at all (below the profiler's resolution, or "
          "not profiled); the first is node3 __getitem__; unchanged",
          "graph.txt: warning: there are no times of the optimizer step"}));

  EXPECT_EQ(result.value->source.notes, notes);
  EXPECT_EQ(result.value->source.excluded, "data loading, optimizer step");
}

std::string FaultOf(std::string_view text, std::int64_t batch = 1) {
  const Result<Profile> result = ParsePipeDreamGraph(text, "graph.txt", batch);
  EXPECT_FALSE(result);
  return result.diagnostics.empty() ? "" : ToString(result.diagnostics[0]);
}

TEST(ParsePipeDreamGraph, WantsABatchSize) {
  EXPECT_EQ(FaultOf(kGraph, 0),
            "graph.txt: error: expected a batch size from 1 to 1000000000, got 0");
  EXPECT_EQ(FaultOf(kGraph, 1'000'000'001).substr(0, 50),
            "graph.txt: error: expected a batch size from 1 to ");
}

TEST(ParsePipeDreamGraph, RefusesCycles) {
  EXPECT_EQ(
      FaultOf(std::string(kGraph) + "\tnode6 -- node5\n"),
      "graph.txt:5: error: expected a graph without cycles, but node6 waits for itself, or for "
      "one that does");
}

TEST(ParsePipeDreamGraph, RefusesAGraphOfInputsOnly) {
  EXPECT_EQ(FaultOf("node1 -- Input -- forward_compute_time=1, backward_compute_time=0, "
                    "activation_size=1, parameter_size=0\n"),
            "graph.txt: error: expected a layer beside inputs and unread outputs, got none");
}

TEST(ParsePipeDreamGraph, PassesOnTheFaultsOfTheText) {
  EXPECT_EQ(FaultOf("nonsense").substr(0, 40), "graph.txt:1:1: error: expected a node, `");
}

}  // namespace
}  // namespace stagecraft
