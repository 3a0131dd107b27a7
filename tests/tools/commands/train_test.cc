#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/tools/train_program.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

using TrainCommand = WithTorch;

TEST_F(TrainCommand, LearnsTheDigits) {
  const Json json = Json::parse(Train("pipeoptim -p 4 --epochs 6 --optimizer adam --json"));
  ASSERT_EQ(json["epochs"].size(), 6U);
  EXPECT_GT(json["epochs"][5]["accuracy"].get<double>(), 0.85);
  EXPECT_EQ(json["staleness"], Json({3, 2, 1, 0}));
  EXPECT_EQ(json["weight_copies"], Json({2, 2, 2, 1}));
  EXPECT_EQ(json["updates"], 6 * 88);  // 1,438 images in 16s: 89, in whole batches of 8: 88.
  EXPECT_EQ(json["stopped"], false);
}

TEST_F(TrainCommand, SaysTheSameHoweverItRuns) {
  const std::string task = "pipedream -p 3 -m 4 -n 6 --model gpt --depth 2 --width 16 --seed 3 ";
  Train(task + "--save threads.safetensors");
  const std::string expected = ReadTestFile(TestPath("threads.safetensors"));
  Train(task + "--save again.safetensors --trace again.trace.json");
  Train(task + "--save processes.safetensors --processes");
  EXPECT_EQ(ReadTestFile(TestPath("again.safetensors")), expected);
  EXPECT_NE(ReadTestFile(TestPath("again.trace.json")).find("\"cat\":\"transfer\""),
            std::string::npos);
  EXPECT_EQ(ReadTestFile(TestPath("processes.safetensors")), expected);
}

TEST_F(TrainCommand, WhatWasSavedGoesOnBitForBit) {
  for (const char* name : {"pipeoptim", "pipedream-2bw"}) {
    const std::string task =
        name + std::string(" -p 3 --model convnet --width 4 --optimizer adamw ");
    Train(task + "--epochs 3 --save whole.safetensors");
    Train(task + "--epochs 2 --save part.safetensors");
    Train(task + "--epochs 1 --load part.safetensors --save rest.safetensors");
    EXPECT_EQ(ReadTestFile(TestPath("rest.safetensors")),
              ReadTestFile(TestPath("whole.safetensors")));
    EXPECT_EQ(ReadTestFile(TestPath("rest.state.safetensors")),
              ReadTestFile(TestPath("whole.state.safetensors")));
  }
}

TEST_F(TrainCommand, ReplicasThatGoOnReportWhatTheWholeRunReports) {
  for (const char* name :
       {"chimera -p 2 -m 4", "data-parallel -p 2 -m 4 --processes",
        "pipedream -p 3 -m 4 --replicas 2,1 --processes", "dualpipe -p 2 -m 8"}) {
    const std::string task =
        name + std::string(" --model convnet --width 4 --microbatch-size 64 --json ");

    const Json whole = Json::parse(Train(task + "--epochs 2 --save whole.safetensors"));
    Train(task + "--epochs 1 --save part.safetensors");
    const Json rest =
        Json::parse(Train(task + "--epochs 1 --load part.safetensors --save rest.safetensors"));

    for (const char* number : {"loss", "test_loss", "accuracy"}) {
      EXPECT_EQ(rest["epochs"][0][number], whole["epochs"][1][number]) << name << ' ' << number;
    }

    EXPECT_EQ(ReadTestFile(TestPath("rest.safetensors")),
              ReadTestFile(TestPath("whole.safetensors")))
        << name;
  }
}

TEST_F(TrainCommand, ARunGoesOnBitForBitWithOtherStages) {
  struct Case {
    const char* before;
    const char* between;
  };
  for (const auto& [before, between] :
       {Case{"1f1b -p 2", "1f1b -p 4"}, Case{"1f1b -p 4", "gpipe -p 2 --cut 1"},
        Case{"zb-h1 -p 2", "1f1b -p 1"}, Case{"gpipe -p 2", "data-parallel -p 1"}}) {
    const std::string task =
        " -m 4 --model convnet --width 4 --microbatch-size 64 --optimizer adamw --json ";
    const Json whole = Json::parse(Train(before + task + "--epochs 3 --save whole.safetensors"));
    Train(before + task + "--epochs 1 --save one.safetensors");
    const Json second = Json::parse(
        Train(between + task + "--epochs 1 --load one.safetensors --save two.safetensors"));
    const Json third = Json::parse(
        Train(before + task + "--epochs 1 --load two.safetensors --save three.safetensors"));

    for (const char* number : {"epoch", "loss", "test_loss", "accuracy"}) {
      EXPECT_EQ(second["epochs"][0][number], whole["epochs"][1][number]) << between << number;
      EXPECT_EQ(third["epochs"][0][number], whole["epochs"][2][number]) << between << number;
    }
    EXPECT_EQ(ReadTestFile(TestPath("three.safetensors")),
              ReadTestFile(TestPath("whole.safetensors")))
        << between;
    EXPECT_EQ(ReadTestFile(TestPath("three.state.safetensors")),
              ReadTestFile(TestPath("whole.state.safetensors")))
        << between;
  }
}

TEST_F(TrainCommand, WhatOtherStagesCannotTakeOverIsSaid) {
  Train("pipedream-2bw -p 2 -m 4 -n 2 --save two.safetensors");
  const Outcome other = Stagecraft("train 1f1b -p 4 -m 4 -n 1 --load two.safetensors");
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(other.err,
            "two.safetensors: warning: has weights of some updates ago, which this run does not "
            "read: it begins with the newest\n");
  const Outcome same =
      Stagecraft("train pipedream-2bw -p 4 -m 4 -n 1 --clip 1 --load two.safetensors");
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_EQ(same.err,
            "two.safetensors: warning: was cut into other stages: --clip, which measures each "
            "stage by itself, clips otherwise from here\n");

  Train("1f1b -p 2 -m 4 -n 1 --momentum 0 --save none.safetensors");
  const Outcome predicts =
      Stagecraft("train pipeoptim -p 2 -m 4 -n 1 --momentum 0 --load none.safetensors");
  EXPECT_EQ(predicts.code, 0) << predicts.err;
  EXPECT_EQ(predicts.err,
            "none.safetensors: warning: was saved by a run that did not keep 'last_gradient' of "
            "stage 0, with which pipeoptim predicts: zeros, as at the start of a run\n");
  const Outcome optimizer =
      Stagecraft("train pipeoptim -p 2 -m 4 -n 1 --momentum 0.5 --load none.safetensors");
  EXPECT_EQ(optimizer.code, 2);

  const Outcome model =
      Stagecraft("train 1f1b -p 2 -m 4 -n 1 --model convnet --load two.safetensors");
  EXPECT_EQ(model.code, 2);
  EXPECT_EQ(model.err.rfind("two.safetensors: error: is of other layers than the model convnet: it "
                            "has 2 stages (",
                            0),
            0U)
      << model.err;
  const Outcome type =
      Stagecraft("train 1f1b -p 2 -m 4 -n 1 --dtype float64 --load two.safetensors");
  EXPECT_EQ(type.code, 2);
  EXPECT_NE(type.err.find("expected the --dtype that it was saved with"), std::string::npos)
      << type.err;
}

TEST_F(TrainCommand, A2bwRunThatGoesOnHasATrace) {
  const std::string task = "pipedream-2bw -p 3 -m 3 -n 4 ";
  Train(task + "--save part.safetensors");
  Train(task + "--load part.safetensors --trace t.json");
  EXPECT_NE(ReadTestFile(TestPath("t.json")).find("weight"), std::string::npos);
  // Where its receives hide the drains it trains all the same.
  Train(task + "--receive lookahead:1 --save late.safetensors");
  Train("pipedream -p 4 -m 8 -n 4 --receive lookahead:1 --save x.safetensors");
  Train("pipedream -p 3 --replicas 1,2 -m 4 -n 2 --drain-every 2 --save y.safetensors");
  EXPECT_EQ(Stagecraft("train pipedream-2bw -p 4 -m 6 -n 1 --save z.safetensors").err,
            Stagecraft("train pipedream-2bw -p 4 -m 6 -n 1").err);
}

TEST_F(TrainCommand, MetricsHaveALinePerUpdate) {
  Train("1f1b -p 2 -m 3 -n 2 --lr 0.1,0.05 --metrics metrics.jsonl");
  std::istringstream lines(ReadTestFile(TestPath("metrics.jsonl")));
  std::vector<Json> updates;
  for (std::string line; std::getline(lines, line);) {
    updates.push_back(Json::parse(line));
  }
  ASSERT_EQ(updates.size(), 2U);
  EXPECT_EQ(updates[1]["update"], 1);
  EXPECT_EQ(updates[1]["microbatches"], Json({3, 4, 5}));
  EXPECT_EQ(updates[1]["losses"].size(), 3U);
  EXPECT_EQ(updates[1]["lr"], 0.05);
  EXPECT_EQ(updates[1]["staleness"], Json({0, 0}));
}

TEST_F(TrainCommand, ExportedDataTrainsToTheSameWeights) {
  const std::string task = "1f1b -p 2 -m 2 -n 2 ";
  EXPECT_EQ(Stagecraft("train " + task + "--export-data 4 data.safetensors").code, 0);
  EXPECT_EQ(Train(task + "--export-data 4"), ReadTestFile(TestPath("data.safetensors")));
  Train(task + "--save made.safetensors");
  Train(task + "--data data.safetensors --save read.safetensors");
  EXPECT_EQ(ReadTestFile(TestPath("read.safetensors")), ReadTestFile(TestPath("made.safetensors")));
}

TEST_F(TrainCommand, EpochsOfAScheduleFileArePassesOverTheData) {
  Stagecraft("generate gpipe -p 2 -m 6 -n 1 -o six.sched");
  const std::string text = Train("six.sched --epochs 2");  // 89 micro-batches: 14 times 6.
  EXPECT_NE(text.find("168 micro-batches of 16 samples"), std::string::npos) << text;
  EXPECT_NE(text.find("the file runs 28 times, 14 times per epoch\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nepoch   1  loss"), std::string::npos) << text;
  EXPECT_NE(text.find("\nepoch   2  loss"), std::string::npos) << text;
  EXPECT_EQ(text.find("\nepoch   3"), std::string::npos) << text;

  const Json json = Json::parse(Train("six.sched -n 3 --json"));
  ASSERT_EQ(json["epochs"].size(), 1U);
  EXPECT_EQ(json["epochs"][0]["epoch"], 18 / 84.0);
  EXPECT_EQ(json["repetitions"], 3);
}

TEST_F(TrainCommand, ExecutesAFileAsOftenAsItIsTold) {
  Stagecraft("generate gpipe -p 2 -m 2 -n 1 -o batch.sched");
  Train("batch.sched -n 3 --save file.safetensors");
  Train("gpipe -p 2 -m 2 -n 3 --save name.safetensors");
  EXPECT_EQ(ReadTestFile(TestPath("file.safetensors")), ReadTestFile(TestPath("name.safetensors")));
}

TEST_F(TrainCommand, RecordsAProfileOfItsStages) {
  Train("1f1b -p 2 -m 4 -n 2 --record run.profile.json --trace run.trace.json.gz");
  EXPECT_EQ(Stagecraft("simulate 1f1b --profile ./run.profile.json --microbatch-size 16 -m 4").code,
            0);
}

TEST_F(TrainCommand, AModelFileSaysItsStages) {
  WriteTestFile("m.json", R"({"format": "stagecraft-model", "version": 1, "stages":
    [["flatten", {"linear": {"in": 64, "out": 8}}, "tanh"], [{"linear": {"in": 8, "out": 10}}]]})");
  Train("1f1b -p 2 -m 2 -n 1 --model ./m.json");
  const Outcome outcome = Stagecraft("train 1f1b -p 3 -m 2 -n 1 --model ./m.json");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err,
            "./m.json: error: has 2 stages, but the schedule has 3; expected as many (-p)\n");
}

TEST_F(TrainCommand, CtrlCSavesAndSaysSo) {
  for (const char* workers : {"", " --processes"}) {
    const Outcome outcome = Shell(
        std::string("stagecraft train pipeoptim -p 2 --epochs 3000 --save stopped.safetensors "
                    "--metrics m.jsonl") +
        workers +
        " >out.txt & pid=$!; while ! [ -s m.jsonl ]; do sleep 0.05; done; kill -INT $pid; wait "
        "$pid");
    EXPECT_EQ(outcome.code, 3);
    EXPECT_NE(outcome.err.find("stopped before the end; saved to stopped.safetensors"),
              std::string::npos)
        << outcome.err;

    // What was saved can be gone on with.
    const Outcome resumed = Stagecraft("train pipeoptim -p 2 -m 4 -n 1 --load stopped.safetensors");
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_NE(resumed.err.find("was saved in the middle of a run"), std::string::npos);
    Shell("rm -f m.jsonl stopped*.safetensors");
  }
}

TEST_F(TrainCommand, ProcessesOfALauncherTrainToTheSameBits) {
  const std::string task = "train pipeoptim -p 3 -m 4 -n 4 --model gpt --depth 2 --width 16 ";
  EXPECT_EQ(Stagecraft(task + "--save threads.safetensors").code, 0);
  // What torchrun sets, but for the store, which rank 0 runs.
  const Outcome outcome = Shell(
      "port=$((20000 + $$ % 20000)); for rank in 2 1 0; do env RANK=$rank WORLD_SIZE=3 "
      "MASTER_ADDR=127.0.0.1 MASTER_PORT=$port TORCHELASTIC_RUN_ID=test stagecraft " +
      task + "--save launched.safetensors >out.$rank 2>err.$rank & done; wait; cat err.*");
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(ReadTestFile(TestPath("launched.safetensors")),
            ReadTestFile(TestPath("threads.safetensors")));
  EXPECT_NE(ReadTestFile(TestPath("out.0")).find("16 updates"), std::string::npos);
  EXPECT_EQ(ReadTestFile(TestPath("out.1")), "");
}

TEST_F(TrainCommand, TorchrunsProcessesTrainToTheSameBits) {
  if (Shell("command -v torchrun").code != 0) {
    GTEST_SKIP() << "no torchrun in PATH; `pip install torch` has it";
  }
  const std::string task = "train pipeoptim -p 2 -m 4 -n 4 --model gpt --depth 2 --width 16 ";
  EXPECT_EQ(Stagecraft(task + "--save threads.safetensors").code, 0);
  const Outcome outcome =
      Shell("OMP_NUM_THREADS=1 torchrun --no-python --nproc-per-node 2 stagecraft " + task +
            "--save launched.safetensors");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(ReadTestFile(TestPath("launched.safetensors")),
            ReadTestFile(TestPath("threads.safetensors")));
}

TEST_F(TrainCommand, ALauncherMustStartAProcessPerRank) {
  const Outcome outcome = Shell(
      "env RANK=1 WORLD_SIZE=3 TORCHELASTIC_RUN_ID=test stagecraft train 1f1b -p 2 -m 2 -n 1");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err,
            "error: torchrun started 3 processes, but the schedule has 2 ranks; expected one for "
            "each\n");
}

TEST(TrainCommandUsage, WithoutLibTorchSaysHowToGetIt) {
  if (STAGECRAFT_HAS_TORCH) {
    GTEST_SKIP() << "built with LibTorch";
  }
  const Outcome outcome = Stagecraft("train 1f1b -p 2 -m 2 -n 1");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("run tools/install-libtorch or set TORCH_ROOT, then build again"),
            std::string::npos)
      << outcome.err;
}

TEST(TrainCommandUsage, SaysWhatDoesNotFit) {
  const struct {
    const char* arguments;
    const char* message;
  } cases[] = {
      {"1f1b --data digts",
       "--data: error: expected digits, regression, classes, images, tokens or a *.safetensors "
       "file, got 'digts'; did you mean 'digits'?\n"},
      {"1f1b --epochs 1 -n 1", "--epochs: error: expected this or -n, not both\n"},
      {"1f1b -p 9",
       "--model: error: the model has 4 units, layers that stay together, which is too few for 9 "
       "stages; expected a deeper model or fewer ranks\n"},
      {"1f1b -p 2 --cut 1,2 ", "--model: error: --cut makes 3 stages, but the schedule has 2\n"},
      {"1f1b --loss mse", "--loss: error: expected cross-entropy, since the targets are classes\n"},
      {"1f1b --model convnet --data classes",
       "--model: error: conv2d: expected an input [batch, channels, height, width], got [1, 16]\n"},
      {"1f1b --model mlp --data tokens --length 8",
       "--model: error: expected an embedding as first layer, since the data are whole numbers\n"},
      {"1f1b --model gpt --width 30",
       "--model: error: attention: expected a dim that heads divides, got dim 30 and heads 4\n"},
      {"1f1b --microbatch-size 2000",
       "--microbatch-size: error: expected at most 1438, the samples to train with, got 2000\n"},
      {"1f1b -m 200",
       "--data: error: has 89 micro-batches of 16 samples, but updates and batches need a multiple "
       "of 200; expected fewer (-m, --update-every) or smaller ones (--microbatch-size)\n"},
      {"1f1b --optimizer adam --nesterov",
       "--nesterov: error: expected sgd with a momentum and no dampening\n"},
      {"1f1b --momentum much",
       "error: --momentum: expected a number, such as 0.9, got 'much'; see `stagecraft train "
       "--help`\n"},
      {"1f1b --save no/such/folder/w.safetensors",
       "no/such/folder/w.safetensors: error: cannot be written: its folder is not there\n"},
      {"1f1b --load nothing.safetensors",
       "nothing.safetensors: error: cannot be opened: No such file or directory\n"},
  };

  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = Stagecraft(std::string("train ") + arguments);
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
    EXPECT_EQ(outcome.err, message) << arguments;
  }
}

TEST(TrainCommandUsage, AskingForAGpuWhereThereIsNoneIsASentence) {
  const Outcome outcome = Stagecraft("train 1f1b -p 1 -m 1 -n 1 --device cuda");
  if (outcome.code == 0) {
    GTEST_SKIP() << "there is a GPU";
  }
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err.rfind("--device cuda: error: ", 0), 0U) << outcome.err;
}

TEST(TrainCommandUsage, WhatIsOfGpusOnlySaysSo) {
  EXPECT_EQ(Stagecraft("train 1f1b -p 2 --tf32").err,
            "--tf32: error: is of GPUs; expected it with --device cuda\n");
  const Outcome autocast = Stagecraft("train 1f1b -p 2 --device cuda --autocast");
  EXPECT_EQ(autocast.code, 2);
  EXPECT_NE(autocast.err.find("keeps casts of weights by their address"), std::string::npos)
      << autocast.err;
  EXPECT_NE(Stagecraft("train 1f1b -p 2 --device gpu").err.find("expected cpu or cuda"),
            std::string::npos);
}

}  // namespace
}  // namespace stagecraft
