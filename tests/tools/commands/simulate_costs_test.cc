#include <regex>
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

/// Four layers of 1 + 2 ms in a row; the stage of each is in `stages`.
void WritePlannedGraph(const char* stages) {
  std::string graph;
  for (const char* const node : {"1 -- A", "2 -- B", "3 -- C", "4 -- D"}) {
    graph += std::string("node") + node +
             " -- forward_compute_time=1.000, backward_compute_time=2.000, activation_size=4.000, "
             "parameter_size=8.000 -- stage_id=" +
             stages[node[0] - '1'] + "\n";
  }
  graph += "\tnode1 -- node2\n\tnode2 -- node3\n\tnode3 -- node4\n";
  WriteTestFile("planned.graph.txt", graph);
}

TEST(SimulateCosts, SaysThatOneLayerCannotBeCut) {
  WriteTestFile("one.profile.json",
                R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [1],
                    "layers": [{"forward_ns": 3000000, "backward_ns": 6000000}]})");
  EXPECT_EQ(Stagecraft("simulate 1f1b --profile one.profile.json --cut 1").err,
            "error: the profile has one layer, which cannot be cut\n");
}

// The same table as of a cut, with the names that the profile has.
TEST(SimulateCosts, ShowsReadyStages) {
  WriteTestFile("ready.profile.json",
                R"({"format": "stagecraft-profile", "version": 1, "microbatch_sizes": [1], "stages":
                    [{"name": "front", "forward_ns": 3000000, "backward_ns": 6000000,
                      "parameter_bytes": 1000000, "activation_bytes": 2000000},
                     {"name": "back", "forward_ns": 1000000, "backward_ns": 2000000,
                      "parameter_bytes": 3000000, "activation_bytes": 4000000}]})");

  const std::string arguments = "simulate 1f1b --profile ready.profile.json ";
  const std::string table =
      "stages as the profile has them, which are not cut\n"
      "stage  name      F     B  weights  activations\n"
      "    0  front  3 ms  6 ms     1 MB         2 MB\n"
      "    1  back   1 ms  2 ms     3 MB         4 MB\n";

  const Outcome outcome = Stagecraft(arguments);
  EXPECT_NE(outcome.out.find(table), std::string::npos) << outcome.out;
  EXPECT_TRUE(Json::parse(Stagecraft(arguments + "--json").out)["cut"].is_null());
}

TEST(SimulateCosts, SaysThatNoRankSendsAnything) {
  const std::string arguments =
      "data-parallel -p 2 -m 4 --forward 1ms --backward 2ms --allreduce 1ms --boundary 1MB ";
  EXPECT_EQ(Stagecraft("simulate " + arguments + "--latency 1ms --bandwidth 1GB/s").err,
            "--latency: warning: has no effect on data-parallel: no rank sends anything to "
            "another\n"
            "--bandwidth: warning: has no effect on data-parallel: no rank sends anything to "
            "another\n");
  EXPECT_EQ(Stagecraft("simulate model-parallel -p 2 -m 4 --forward 1ms --latency 1ms").err, "");
}

TEST(SimulateCosts, SaysWhatASearchLacksToCountMemory) {
  const std::string arguments = "zb-auto -p 4 -m 8 --forward 1ms --parameters 1GB --memory ";
  EXPECT_EQ(Stagecraft("simulate " + arguments + "1GB").err,
            "zb-auto: error: weights and optimizer leave nothing of --memory on rank 0, and no "
            "activations are said to take any; expected a larger --memory, and --activation or a "
            "profile\n");
  EXPECT_EQ(Stagecraft("simulate " + arguments + "3GB").code, 0);
  EXPECT_EQ(Stagecraft("simulate " + arguments + "3GB --activation 1MB").code, 0);
}

TEST(SimulateCosts, CutsAPlannedGraphAsItSays) {
  WritePlannedGraph("0001");
  // Three layers of 1 + 2 ms in front, one behind.
  const Json run =
      Simulate("1f1b --profile planned.graph.txt --profile-batch 1 -m 1 --step 0 2>/dev/null");
  EXPECT_EQ(run["ranks"][0]["busy_ns"], 9'000'000);
  EXPECT_EQ(run["ranks"][1]["busy_ns"], 3'000'000);
}

// A plan of one stage is a plan: -p is 1 unless it is given, and another -p is said to cut anew.
TEST(SimulateCosts, SaysThatAPlannedGraphNamesOneStage) {
  WritePlannedGraph("0000");
  const std::string arguments = "1f1b --profile planned.graph.txt --profile-batch 1 -m 1 ";
  const Json run = Simulate(arguments + "--step 0 2>/dev/null");
  ASSERT_EQ(run["ranks"].size(), 1U);
  EXPECT_EQ(run["ranks"][0]["busy_ns"], 12'000'000);
  EXPECT_NE(Stagecraft("simulate " + arguments + "-p 2")
                .out.find("no cut takes less; the profile itself names one stage\n"),
            std::string::npos);
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

/// Milliseconds of a batch in the window of the worst rank, as the search says; -1 if it does not
/// fit.
double WindowOf(const std::string& arguments) {
  const Outcome outcome = Stagecraft("simulate " + arguments);
  std::smatch found;
  const bool fits = outcome.out.find("fits on every rank") != std::string::npos;
  return fits && std::regex_search(outcome.err, found, std::regex("takes ([0-9.]+) ms within"))
             ? std::stod(found[1])
             : -1;
}

// What was over was taken off once and never given back: `before` is what that came to.
TEST(SimulateCosts, ASearchWithinMemoryIsNoWorseThanWithAHandPickedLimit) {
  const struct {
    const char* arguments;
    double before;
    const char* limit;
  } cases[] = {
      {"zb-auto -p 4 -m 12 --forward 2ms --backward-input 2ms --backward-weight 1.5ms "
       "--boundary 60MB --memory 750MB",
       73.7, "5"},
      {"zb-auto-v -p 6 -m 16 --forward 2ms --backward-input 2ms --backward-weight 1ms "
       "--boundary 60MB --released 50MB --memory 1450MB",
       188.4, "5"},
      {"zb-auto -p 4 -m 16 --forward 1ms --backward-input 1ms --backward-weight 1ms "
       "--boundary 60MB --released 50MB --memory 900MB",
       50.2, "6"},
      {"zb-auto-v -p 4 -m 16 --forward 2ms --backward-input 2ms --backward-weight 1.5ms "
       "--boundary 60MB --memory 1100MB",
       192.5, "5"},
      {"zb-auto -p 4 -m 12 --forward 2ms --backward-input 2ms --backward-weight 1ms "
       "--boundary 60MB --released 50MB --memory 450MB",
       112.2, "2"},
  };

  for (const auto& [given, before, limit] : cases) {
    const std::string arguments =
        std::string(given) + " --latency 0.2ms --activation 100MB --parameters 100MB";
    const double window = WindowOf(arguments);
    EXPECT_GT(window, 0) << arguments;
    EXPECT_LE(window, before) << arguments;

    const double by_hand = WindowOf(arguments + " --limit " + limit);
    EXPECT_GT(by_hand, 0) << arguments;
    EXPECT_LE(window, by_hand) << arguments;
    EXPECT_EQ(window, WindowOf(arguments)) << arguments;
  }
}

}  // namespace
}  // namespace stagecraft
