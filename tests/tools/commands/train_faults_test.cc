#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/tools/train_program.h"
#include "tools/output_claim.h"

// What can be wrong with a training beside its flags: numbers that are not finite, ranks of another
// job, files that another run writes, flags that change nothing.

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

using TrainFaults = WithTorch;

/// Update 0 moves weights by 1e30 times a gradient: from then on nothing is finite.
const char* const kDiverges = "1f1b -p 2 -m 4 -n 4 --lr 1e30 ";

/// Runs `arguments` once per rank as torchrun would, but for the store, which rank 0 runs; rank 1
/// gets `of_rank_1` as well. Outputs are in out.N and err.N, exit codes in code.N.
void Launch(const std::string& arguments, const std::string& of_rank_1 = "") {
  Shell("port=$((20000 + $$ % 20000)); for rank in 1 0; do more=; if [ $rank = 1 ]; then more='" +
        of_rank_1 +
        "'; fi; (env RANK=$rank WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port "
        "TORCHELASTIC_RUN_ID=test stagecraft train " +
        arguments + " $more >out.$rank 2>err.$rank; echo $? >code.$rank) & done; wait");
}

TEST_F(TrainFaults, ANumberThatIsNotFiniteIsSaidOnce) {
  const Outcome outcome = Stagecraft(std::string("train ") + kDiverges + "--metrics m.jsonl");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err,
            "warning: the loss of micro-batch 4 (update 1) is not finite; the training goes on, "
            "but is not worth much from here (--stop-on-nan would end it)\n");

  EXPECT_NE(outcome.out.find("epoch 0.18  loss nan  test loss nan"), std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find("diverged: the loss of micro-batch 4 (update 1) is not finite\n"),
            std::string::npos)
      << outcome.out;

  // JSON has no NaN: it is null there.
  EXPECT_NE(ReadTestFile(TestPath("m.jsonl")).find("\"losses\":[null,null,null,null]"),
            std::string::npos);
  const Json json = Json::parse(Train(std::string(kDiverges) + "--json"));
  EXPECT_EQ(json["diverged_at"], Json::parse(R"({"update": 1, "microbatch": 4, "what": "loss"})"));
  EXPECT_EQ(json["epochs"][0]["loss"], nullptr);
  EXPECT_EQ(json["updates"], 4);

  EXPECT_EQ(Json::parse(Train("1f1b -p 2 -m 4 -n 1 --json"))["diverged_at"], nullptr);
}

TEST_F(TrainFaults, StopOnNanEndsAllRanksAfterTheSameUpdate) {
  const std::string stops = std::string(kDiverges) + "--stop-on-nan --json --metrics ";
  const auto expect = [](const std::string& out, const std::string& metrics) {
    const Json json = Json::parse(out);
    EXPECT_EQ(json["updates"], 2);
    EXPECT_EQ(json["microbatches"], 8);
    EXPECT_EQ(json["stopped"], true);
    EXPECT_EQ(json["diverged_at"]["update"], 1);
    const std::string lines = ReadTestFile(TestPath(metrics));
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
  };

  for (const char* workers : {"", " --processes"}) {
    const Outcome outcome = Stagecraft("train " + stops + "m.jsonl" + workers);
    EXPECT_EQ(outcome.code, 3) << workers;
    expect(outcome.out, "m.jsonl");
    EXPECT_NE(outcome.err.find("error: the loss of micro-batch 4 (update 1) is not finite"),
              std::string::npos)
        << outcome.err;
  }

  // Ranks that were launched, too, end together.
  Launch(stops + "launched.jsonl");
  expect(ReadTestFile(TestPath("out.0")), "launched.jsonl");
  EXPECT_EQ(ReadTestFile(TestPath("code.0")), "3\n");
  EXPECT_EQ(ReadTestFile(TestPath("code.1")), "3\n");
}

TEST_F(TrainFaults, WhatIsSavedIsFinite) {
  Train("1f1b -p 2 -m 4 -n 1 --save kept.safetensors");
  const std::string before = ReadTestFile(TestPath("kept.safetensors"));
  Outcome outcome = Stagecraft(std::string("train ") + kDiverges + "--save kept.safetensors");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.err.find("kept.safetensors: error: was not written, since 'stage"),
            std::string::npos)
      << outcome.err;
  outcome = Stagecraft(std::string("train ") + kDiverges + "--save kept.safetensors --stop-on-nan");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.err.find("the file of before stays as it was"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(ReadTestFile(TestPath("kept.safetensors")), before);
}

TEST_F(TrainFaults, StopOnNanSavesTheLastEpochThatWasFinite) {
  // 88 updates of one batch each are an epoch; rate 0 up to the last of the second one.
  std::string rates = "0.02";
  for (int update = 1; update < 100; ++update) {
    rates += update < 99 ? ",0.02" : ",1e30";
  }

  const std::string task = "1f1b -p 2 -m 8 --data classes --samples 1024 ";
  const Json json = Json::parse(Train(task + "--epochs 1 --json --save good.safetensors"));
  const auto of_epoch = json["updates"].get<int>();
  ASSERT_LT(of_epoch, 99);
  const int epochs = 98 / of_epoch;  // That end before update 99.
  Train(task + "--epochs " + std::to_string(epochs) + " --save good.safetensors");

  const Outcome outcome = Stagecraft("train " + task + "--epochs 100 --lr " + rates +
                                     " --stop-on-nan --save last.safetensors");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.err.find("saved to last.safetensors what was trained before micro-batch " +
                             std::to_string(8 * of_epoch * epochs)),
            std::string::npos)
      << outcome.err;

  EXPECT_EQ(ReadTestFile(TestPath("last.safetensors")), ReadTestFile(TestPath("good.safetensors")));
  EXPECT_EQ(Stagecraft("train " + task + "--epochs 1 --load last.safetensors").code, 0);
}

TEST_F(TrainFaults, RanksWithOtherOptionsAreNotOfTheSameJob) {
  const std::string task = "pipeoptim -p 2 -m 2 -n 2 --optimizer adamw --weight-decay 0.1 ";

  Launch(task);
  EXPECT_EQ(ReadTestFile(TestPath("code.0")), "0\n") << ReadTestFile(TestPath("err.0"));

  // Each of these changes the numbers or the reports of a training.
  for (const char* other : {"--lr-schedule step:10,0.5", "--xpipe-adam constant",
                            "--prediction-decay", "--seed 1", "--stop-on-nan"}) {
    Launch(task, other);
    EXPECT_EQ(ReadTestFile(TestPath("code.0")), "3\n") << other;
    EXPECT_EQ(ReadTestFile(TestPath("code.1")), "3\n") << other;
    EXPECT_NE(
        ReadTestFile(TestPath("err.0")).find("rank 1 has another schedule, model, data or options"),
        std::string::npos)
        << other << "\n"
        << ReadTestFile(TestPath("err.0"));
  }
}

TEST_F(TrainFaults, AFileThatAnotherRunWritesIsRefused) {
  const std::string task = "train 1f1b -p 2 -m 2 -n 1 ";
  for (const char* flag : {"--metrics", "--save", "--trace", "--record"}) {
    const OutputClaim claim(TestPath("taken.file"));
    const Outcome outcome = Stagecraft(task + flag + " taken.file");
    EXPECT_EQ(outcome.code, 2) << flag;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find("taken.file: error: is being written by another run (process "),
              std::string::npos)
        << outcome.err;
  }

  // Two flags of one command must not name the same file either.
  EXPECT_EQ(Stagecraft(task + "--metrics x.file --trace ./x.file").err,
            "./x.file: error: is the file of --metrics as well as of --trace; expected one for "
            "each\n");
  EXPECT_EQ(Stagecraft(task + "--metrics /dev/null --trace /dev/null").code, 0);

  // Each line is whole beside the report on the same standard output.
  const Outcome outcome = Shell("stagecraft " + task + "--metrics /dev/stdout >both.txt");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::string both = ReadTestFile(TestPath("both.txt"));
  EXPECT_NE(both.find("\n{\"update\":0,\"microbatches\":[0,1],"), std::string::npos) << both;
  EXPECT_NE(both.find("1 updates in"), std::string::npos) << both;
}

TEST_F(TrainFaults, FlagsThatChangeNothingAreNamed) {
  const auto warnings = [](const std::string& arguments) {
    const Outcome outcome = Stagecraft("train " + arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.err;
  };

  EXPECT_EQ(warnings("1f1b -p 2 -m 2 -n 1 --betas 0.9,0.99 --eps 1e-7 --heads 2 --samples 9"),
            "--heads: warning: changes nothing here: is of gpt\n"
            "--samples: warning: changes nothing here: the data are digits\n"
            "--betas: warning: changes nothing here: is of adam and adamw\n"
            "--eps: warning: changes nothing here: is of adam and adamw\n");

  EXPECT_EQ(warnings("1f1b -p 2 -m 2 -n 1 --optimizer adamw --xpipe-adam constant --displacement "
                     "next --prediction-decay"),
            "--displacement: warning: changes nothing here: no weights of later updates are "
            "predicted in this schedule\n"
            "--prediction-decay: warning: changes nothing here: no weights of later updates are "
            "predicted in this schedule\n"
            "--xpipe-adam: warning: changes nothing here: no weights of later updates are "
            "predicted in this schedule\n");

  EXPECT_EQ(warnings("pipeoptim -p 2 -m 4 -n 1 --optimizer adamw --weight-decay 0.1 --xpipe-adam "
                     "constant --displacement next --prediction-decay"),
            "");

  Stagecraft("generate gpipe -p 2 -m 2 -o batch.sched");
  EXPECT_EQ(warnings("batch.sched -p 7 -n 2"),
            "-p: warning: changes nothing here: the schedule is a file\n");
}

}  // namespace
}  // namespace stagecraft
