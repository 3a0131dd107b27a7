#include <cstdint>
#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

TEST(ValidateCommand, ComparesARehearsalWithThePrediction) {
  const Outcome outcome =
      Stagecraft("validate 1f1b -p 2 -m 2 --forward 1ms --backward 2ms --rehearse --runs 2 --json");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);

  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) {
    keys.push_back(key);
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"predicted_ns", "measured_ns", "error", "errors",
                                            "ranks", "kinds", "derived_costs"}));

  EXPECT_EQ(json["predicted_ns"], 9'000'000);  // (2 + 2 - 1) * 3 ms.
  EXPECT_GE(json["measured_ns"].get<std::int64_t>(), 9'000'000);
  EXPECT_EQ(json["errors"].size(), 2U);
  EXPECT_EQ(json["ranks"].size(), 2U);
  EXPECT_GE(json["ranks"][0]["measured_busy_ns"].get<std::int64_t>(), 6'000'000);
}

TEST(ValidateCommand, RehearsesReplicasPredictionsAndFiles) {
  for (const char* arguments :
       {"pipedream -p 4 -m 6 --replicas 3,1 --allreduce 1us", "pipeoptim -p 3 -m 4 --predict 1us",
        "gpipe -p 2 -m 2 --checkpoint all", "data-parallel -p 2 -m 4"}) {
    const Outcome outcome = Stagecraft(std::string("validate ") + arguments +
                                       " --forward 10us --backward 20us --rehearse --runs 1");
    EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.err;
    EXPECT_NE(outcome.out.find("predicted"), std::string::npos) << arguments;
  }
  EXPECT_EQ(
      Stagecraft("validate 1f1b -p 3 -m 3 --forward 10us --rehearse --processes --runs 2").code, 0);
  Stagecraft("generate 1f1b -p 2 -m 2 --receive just-in-time -o lowered.sched");
  EXPECT_EQ(Stagecraft("validate lowered.sched --forward 10us --rehearse --runs 1").code, 0);
}

TEST(ValidateCommand, SaysWhatItCannotRehearse) {
  const struct {
    const char* arguments;
    const char* message;
  } cases[] = {
      {"1f1b --forward 1ms",
       "--forward: error: is of a rehearsal; expected --rehearse, or a model whose costs are "
       "measured\n"},
      {"1f1b --rehearse --lr 1", "--lr: error: is of a training; expected it without --rehearse\n"},
      {"1f1b --rehearse --joined 1ms",
       "--joined: error: a rehearsal runs the ops of a cell one after the other; expected costs "
       "of the ops only\n"},
      {"1f1b -p 1025 --rehearse",
       "--rehearse: error: takes a thread or a process per rank: expected at most 1024 ranks, got "
       "1025\n"},
      {"1f1b --rehearse --latency 1ms",
       "error: unknown flag '--latency'; see `stagecraft validate --help`\n"},
  };

  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = Stagecraft(std::string("validate ") + arguments);
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
    EXPECT_EQ(outcome.err, message) << arguments;
  }
}

TEST(ValidateCommand, ComparesATrainingWithThePredictionFromItsFirstHalf) {
  if (!STAGECRAFT_HAS_TORCH) {
    GTEST_SKIP() << "built without LibTorch";
  }
  for (const char* arguments :
       {"1f1b -m 4 -n 4", "pipeoptim -m 8 -n 2 --processes", "pipedream-2bw -m 4 -n 4"}) {
    const Outcome outcome = Stagecraft(std::string("validate -p 2 --runs 1 --json ") + arguments);
    ASSERT_EQ(outcome.code, 0) << arguments << "\n" << outcome.err;
    const Json json = Json::parse(outcome.out);
    const Json& training = json["training"];

    EXPECT_EQ(training["first_microbatch"], 8) << arguments;
    EXPECT_EQ(training["wrong_reads"], 0) << arguments;
    EXPECT_EQ(training["reads"], 64) << arguments;  // 16 micro-batches, F and B on two stages.
    EXPECT_GT(training["replayed_ns"].get<std::int64_t>(), 0) << arguments;
  }
}

TEST(ValidateCommand, PredictsEveryOtherBatchFromThoseBetween) {
  if (!STAGECRAFT_HAS_TORCH) {
    GTEST_SKIP() << "built without LibTorch";
  }
  for (const char* arguments : {"1f1b -m 4 -n 6", "pipeoptim -m 24 -n 1 --drain-every 4"}) {
    const Outcome outcome =
        Stagecraft(std::string("validate -p 2 --runs 1 --alternate --json ") + arguments);
    ASSERT_EQ(outcome.code, 0) << arguments << "\n" << outcome.err;
    const Json json = Json::parse(outcome.out);
    EXPECT_EQ(json["training"]["alternates"], true);
    EXPECT_EQ(json["training"]["first_microbatch"], 4) << arguments;
    EXPECT_EQ(json["training"]["wrong_reads"], 0) << arguments;
    EXPECT_EQ(json["kinds"][0]["ops"], 12) << arguments;  // Half of the 24 micro-batches.
  }
}

TEST(ValidateCommand, KnowsWhatAllReducesTake) {
  if (!STAGECRAFT_HAS_TORCH) {
    GTEST_SKIP() << "built without LibTorch";
  }
  const Outcome outcome = Stagecraft("validate data-parallel -p 2 -m 4 -n 4 --runs 1 --json");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  bool found = false;
  const Json json = Json::parse(outcome.out);
  for (const Json& kind : json["kinds"]) {
    EXPECT_GE(kind["predicted_ns"].get<std::int64_t>(), 0) << kind;
    found = found || kind["kind"] == "A";
  }
  EXPECT_TRUE(found);
}

TEST(ValidateCommand, NamesAnOpOfThePredictedPart) {
  if (!STAGECRAFT_HAS_TORCH) {
    GTEST_SKIP() << "built without LibTorch";
  }
  const std::string text = Stagecraft("validate 1f1b -p 2 -m 4 -n 4 --runs 1").out;
  std::smatch found;
  ASSERT_TRUE(std::regex_search(text, found, std::regex("worst op   [01][A-Z_]+([0-9]*)@([0-9]+)")))
      << text;
  if (found[1].length() > 0) {
    EXPECT_GE(std::stoi(found[1]), 8) << text;  // A micro-batch.
  }
  EXPECT_GE(std::stoi(found[2]), 2) << text;  // Two updates came before.
}

TEST(ValidateCommand, RefusesMoreRanksThanCoresUnlessTheyOnlyRehearse) {
  const Outcome outcome = Stagecraft("validate 1f1b -p 512 -m 4 -n 2 --depth 600");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("-p: error: "), std::string::npos) << outcome.err;
}

// What a pass over the data leaves out, as `train` says it: before anything is run.
TEST(ValidateCommand, SaysWhatAnEpochLeavesOut) {
  const std::string arguments = "1f1b -p 2 -m 4 -n 1 ";
  EXPECT_EQ(Stagecraft("validate " + arguments).out,
            "an epoch: 1408 of 1438 samples, as many as fill its updates\n");
  EXPECT_EQ(Stagecraft("validate --json " + arguments).out, "");

  ASSERT_EQ(Stagecraft("train " + arguments + "--export-data 6 six.safetensors").code, 0);
  const Outcome outcome = Stagecraft("validate " + arguments + "--data six.safetensors");
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err.rfind("six.safetensors: warning: has 6 micro-batches, of which an epoch "
                              "takes the first 4, as many as fill its updates and batches; x.4 to "
                              "x.5 are left out\n",
                              0),
            0U)
      << outcome.err;
}

TEST(ValidateCommand, NeedsADrainInTheMiddle) {
  const Outcome outcome = Stagecraft("validate 1f1b -p 2 -m 4 -n 1");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err,
            "error: the pipeline is never empty before the end, so that there is no first half to "
            "take costs from; expected more batches (-n, or in the file) or --drain-every\n");
}

}  // namespace
}  // namespace stagecraft
