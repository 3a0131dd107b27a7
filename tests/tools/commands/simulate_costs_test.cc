#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

Json Simulate(const std::string& arguments) {
  const Outcome outcome = Stagecraft("simulate --json " + arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.code == 0 ? Json::parse(outcome.out) : Json();
}

// Layers 0 to 39 of VGG-16, told where to cut; and the same cut found in the JSON.
TEST(SimulateCosts, CutsWhereItIsTold) {
  const Json cut = Simulate("1f1b --profile vgg16 --cut 8,15,25 -m 8")["cut"];
  ASSERT_EQ(cut.size(), 4U);
  EXPECT_EQ(cut[0]["last_layer"], 7);
  EXPECT_EQ(cut[3]["first_layer"], 25);
  EXPECT_EQ(cut[3]["last_layer"], 39);
  EXPECT_EQ(cut[1]["first_name"], "node10 ReLU(inplace)");
  EXPECT_TRUE(Simulate("1f1b --forward 1ms")["cut"].is_null());
  EXPECT_EQ(Stagecraft("simulate 1f1b -p 3 --profile vgg16 --cut 8,15,25").err,
            "--cut: error: makes 4 stages, but 1f1b has 3; expected the first layers of 2 further "
            "stages\n");
  EXPECT_EQ(Stagecraft("simulate 1f1b --forward 1ms --cut 2").err,
            "--cut: error: cuts the layers of a --profile, but none is given\n");
  EXPECT_EQ(Stagecraft("simulate 1f1b --profile vgg16 --cut 8,40").code, 2);
}

// PipeDream's 15-1 of VGG-16: a stage on 15 ranks takes a 15th of its time, so that the best of the
// 39 cuts is before layer 25: max(317.6 / 15, 18.7) ms at 64 samples.
TEST(SimulateCosts, SharesAStageOutOverItsReplicasBeforeItCuts) {
  const Json run =
      Simulate("pipedream --profile vgg16 --replicas 15,1 -m 15 -n 8 --microbatch-size 64");
  EXPECT_EQ(run["cut"][1]["first_layer"], 25);
  EXPECT_NEAR(run["samples_per_second"].get<double>(), 2419, 1);
}

TEST(SimulateCosts, CutsAPlannedGraphAsItSays) {
  std::string graph;
  for (const char* const node : {"1 -- A", "2 -- B", "3 -- C", "4 -- D"}) {
    graph += std::string("node") + node +
             " -- forward_compute_time=1.000, backward_compute_time=2.000, activation_size=4.000, "
             "parameter_size=8.000 -- stage_id=" +
             (node[0] == '4' ? "1" : "0") + "\n";
  }
  graph += "\tnode1 -- node2\n\tnode2 -- node3\n\tnode3 -- node4\n";
  WriteTestFile("planned.graph.txt", graph);
  // Three layers of 1 + 2 ms in front, one behind.
  const Json run =
      Simulate("1f1b --profile planned.graph.txt --profile-batch 1 -m 1 --step 0 2>/dev/null");
  EXPECT_EQ(run["ranks"][0]["busy_ns"], 9'000'000);
  EXPECT_EQ(run["ranks"][1]["busy_ns"], 3'000'000);
}

TEST(SimulateCosts, SaysWhetherEveryRankHasTheMemory) {
  const std::string arguments =
      "1f1b -p 2 -m 4 --forward 1ms --activation 100MB --parameters 100MB --memory ";
  // Rank 0 holds 2 sets of activations and the weights, rank 1 one set: 300 and 200 MB.
  EXPECT_EQ(Simulate(arguments + "300MB")["fits"], true);
  EXPECT_EQ(Simulate(arguments + "300MB,200MB")["fits"], true);
  EXPECT_EQ(Simulate(arguments + "299MB")["fits"], false);
  EXPECT_TRUE(Simulate("1f1b --forward 1ms")["fits"].is_null());
  EXPECT_NE(Stagecraft("simulate " + arguments + "250MB,250MB")
                .out.find("does not fit: rank 0 holds 300 MB, and may hold 250 MB\n"),
            std::string::npos);
  EXPECT_EQ(Stagecraft("simulate " + arguments + "1GB,1GB,1GB").err,
            "--memory: error: expected 1 value, or 2 for 2 ranks, got 3\n");
}

TEST(SimulateCosts, GreedyTakesALimitInBytes) {
  const std::string arguments =
      "greedy -p 2 -m 8 --forward 1ms --backward 2ms --activation 100MB --limit ";
  // Two stages per rank: a micro-batch keeps 200 MB on each, and 400 MB are two of them.
  EXPECT_EQ(Simulate(arguments + "400MB")["schedule"], Simulate(arguments + "2")["schedule"]);
  EXPECT_NE(Simulate(arguments + "400MB")["schedule"], Simulate(arguments + "3")["schedule"]);
  EXPECT_EQ(Stagecraft("simulate " + arguments + "199MB").err,
            "greedy: error: no room for the activations of one micro-batch on some rank; expected "
            "a larger --limit or --memory\n");
  EXPECT_EQ(Stagecraft("simulate greedy -p 2 -m 8 --forward 1ms --limit 1GB").code, 2);
}

// Two copies of 100 MB of weights and no optimizer leave 300 MB of 500: three sets on each rank of
// two stages would be 600 MB, one is 200.
TEST(SimulateCosts, SearchesStayWithinTheMemoryOfARank) {
  for (const char* const name : {"zb-auto", "zb-auto-v", "greedy"}) {
    const Json run = Simulate(std::string(name) +
                              " -p 4 -m 8 --forward 1ms --backward 2ms --activation 100MB "
                              "--parameters 100MB --boundary 10MB --memory 700MB 2>/dev/null");
    EXPECT_EQ(run["fits"], true) << name;
  }
  EXPECT_EQ(Stagecraft("simulate zb-auto -p 4 -m 8 --forward 1ms --activation 100MB --parameters "
                       "100MB --memory 150MB")
                .code,
            2);
}

}  // namespace
}  // namespace stagecraft
