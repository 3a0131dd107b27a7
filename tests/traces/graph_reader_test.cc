#include "traces/graph_reader.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view kCosts =
    "forward_compute_time=1.5, backward_compute_time=0.001, activation_size=8.0, "
    "parameter_size=4.000";

std::string Node(std::string_view id, std::string_view costs = kCosts) {
  return std::string(id) + " -- Linear(in=1, out=2) -- " + std::string(costs) + "\n";
}

/// `line:column: message` of every fault.
Texts FaultsOf(std::string_view text) {
  const Result<LayerGraph> result = ReadGraph(text, "g");
  EXPECT_EQ(result.value.has_value(), result.diagnostics.empty());
  Texts texts;
  for (const Diagnostic& fault : result.diagnostics) {
    texts.push_back(fault.where.substr(std::min<std::size_t>(2, fault.where.size())) + ": " +
                    fault.message);
  }
  return texts;
}

TEST(ReadGraph, ReadsNodesInFileOrderAndEdgesAnywhere) {
  const LayerGraph graph = OrThrow(ReadGraph(
      "\tb -- a\n" + Node("a") + "\n" +
          Node("b",
               "forward_compute_time=0, backward_compute_time=2, activation_size=[1.0; 2; 4], "
               "parameter_size=0 -- stage_id=3") +
          "\tb -- a",
      "g"));
  ASSERT_EQ(graph.size(), 2U);

  EXPECT_EQ(graph[0].id, "a");
  EXPECT_EQ(graph[0].description, "Linear(in=1, out=2)");
  EXPECT_EQ(graph[0].forward, Nanoseconds{1'500'000});
  EXPECT_EQ(graph[0].backward, Nanoseconds{1'000});
  EXPECT_EQ(graph[0].output_bytes, 8);
  EXPECT_EQ(graph[0].parameter_bytes, 4);
  EXPECT_EQ(graph[0].line, 2);
  EXPECT_EQ(graph[0].inputs, std::vector<std::size_t>{1});  // The repeated edge counts once.

  EXPECT_EQ(graph[1].output_bytes, 1 + 2 + 4);
}

TEST(ReadGraph, ShowsTheLineAndACaret) {
  const Result<LayerGraph> result =
      ReadGraph(Node("a",
                     "forward_compute_time=x, backward_compute_time=1, activation_size=1, "
                     "parameter_size=1"),
                "g");
  EXPECT_EQ(ToString(result.diagnostics.at(0)),
            "g:1:50: error: expected milliseconds from 0 to 3600000\n"
            "  a -- Linear(in=1, out=2) -- forward_compute_time=x, backward_compute_time=1, "
            "activation_s...\n"
            "                                                   ^");
}

TEST(ReadGraph, ReportsEveryFault) {
  EXPECT_EQ(
      FaultsOf("a\n" + Node("b") + Node("b") + "\tb\n\tb -- c\n"),
      (Texts{"1:1: expected a node, `id -- description -- forward_compute_time=..., ...`",
             "3:1: expected each node once, got b again", "4:2: expected an edge, `<tab>id -- id`",
             "5:7: expected the id of a node, got one that no node has"}));
}

TEST(ReadGraph, ChecksKeys) {
  EXPECT_EQ(
      FaultsOf("a -- d -- forward_compute_tim=1, backward_compute_time=1, activation_size=1, "
               "activation_size=1\n"),
      (Texts{"1:11: unknown key; did you mean forward_compute_time?",
             "1:78: expected activation_size once", "1:11: expected forward_compute_time, got none",
             "1:11: expected parameter_size, got none"}));
}

TEST(ReadGraph, ChecksNumbers) {
  for (const char* time : {"-1", "nan", "inf", "1e99", "3600001", "", "1 ", "0x1"}) {
    EXPECT_EQ(FaultsOf(Node("a", "forward_compute_time=" + std::string(time) +
                                     ", backward_compute_time=1, activation_size=1, "
                                     "parameter_size=1")),
              Texts{"1:50: expected milliseconds from 0 to 3600000"})
        << time;
  }

  for (const char* bytes :
       {"-1", "1.5", "[1; x]", "[]", "[1;2]", "1125899906842625", "[1125899906842624; 1]"}) {
    const Texts faults =
        FaultsOf(Node("a", "forward_compute_time=1, backward_compute_time=1, activation_size=" +
                               std::string(bytes) + ", parameter_size=1"));
    ASSERT_EQ(faults.size(), 1U) << bytes;
    EXPECT_NE(faults[0].find("expected whole bytes, from 0 to 1125899906842624 in all"),
              std::string::npos);
  }
}

TEST(ReadGraph, WantsPlainTextAndANode) {
  EXPECT_EQ(FaultsOf(""), Texts{": expected at least one node, got none"});
  EXPECT_EQ(FaultsOf("a\x01"), Texts{"1:2: expected plain ASCII text"});
}

TEST(ReadGraph, ReadsLinesThatEndInCarriageReturns) {
  std::string text = Node("a");
  text.insert(text.size() - 1, "\r");
  EXPECT_EQ(OrThrow(ReadGraph(text, "g"))[0].parameter_bytes, 4);
}

TEST(ReadGraph, AFaultOfManyLinesIsOneFault) {
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "x\n";
  }
  const Result<LayerGraph> result = ReadGraph(text, "g");
  ASSERT_EQ(result.diagnostics.size(), 1U);
  EXPECT_TRUE(result.diagnostics[0].message.ends_with("; and 999 more lines"));
}

}  // namespace
}  // namespace stagecraft
