#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/data/safetensors.h"
#include "tests/tools/train_program.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

using TrainingData = WithTorch;

/// A model of one layer, y = x w, whose loss (mse) with rate 0 can be worked out by hand.
constexpr const char* kOneLayer = R"({"format": "stagecraft-model", "version": 1, "name": "t",
    "stages": [[{"linear": {"in": 1, "out": 1, "bias": 0}}],
               [{"linear": {"in": 1, "out": 1, "bias": 0}}]]})";

HostTensor Column(std::int64_t rows, double value) {
  HostTensor tensor = MakeHostTensor(ElementType::kFloat64, {rows, 1});
  std::fill_n(reinterpret_cast<double*>(tensor.memory.data), rows, value);
  return tensor;
}

/// Writes micro-batches of these sizes: all inputs are 0, so that outputs are, and the targets of
/// micro-batch q are q + 1, so that its loss is (q + 1)^2.
std::string WriteMicrobatches(const std::vector<std::int64_t>& sizes) {
  Safetensors content;
  for (std::size_t q = 0; q < sizes.size(); ++q) {
    content.tensors["x." + std::to_string(q)] = Column(sizes[q], 0);
    content.tensors["y." + std::to_string(q)] = Column(sizes[q], static_cast<double>(q) + 1);
  }
  WriteTestFile("model.json", kOneLayer);
  WriteTestFile("uneven.safetensors", WriteSafetensors(content));
  return "--model ./model.json --data uneven.safetensors --dtype float64 --lr 0 ";
}

TEST_F(TrainingData, MicrobatchesOfUnequalSizeCountBySamples) {
  const std::string task = WriteMicrobatches({1, 7});
  const Json json = Json::parse(Train("1f1b -p 2 -m 2 -n 1 --json " + task));
  // One sample of loss 1 and seven of loss 4.
  EXPECT_EQ(json["epochs"][0]["loss"], (1 * 1 + 7 * 4) / 8.0);
  EXPECT_EQ(json["epochs"][0]["samples"], 8);
  EXPECT_EQ(json["samples"], 8);
  EXPECT_EQ(json["microbatch_size"], Json({1, 7}));
  EXPECT_EQ(json["samples_left_out"], 0);
  EXPECT_NE(Train("1f1b -p 2 -m 2 -n 1 " + task).find("2 micro-batches of 1 to 7 samples"),
            std::string::npos);
}

TEST_F(TrainingData, APassOverAFileUsesEachMicrobatchOnceAndSaysWhatItLeavesOut) {
  const std::string task = WriteMicrobatches({4, 4, 4, 2, 2});

  // Batches of 2: x.0 to x.3; x.4 is left out of every epoch.
  const double loss = (4 * 1 + 4 * 4 + 4 * 9 + 2 * 16) / 14.0;
  for (const char* schedule :
       {"gpipe -p 2 -m 2", "pipedream -p 2 -m 2", "pipeoptim -p 2 -m 2", "pipedream-2bw -p 2 -m 2",
        "chimera -p 2 -m 2", "pipedream -p 3 -m 2 --replicas 1,2"}) {
    const Outcome outcome = Stagecraft("train " + (schedule + (" --epochs 3 --json " + task)));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err,
              "uneven.safetensors: warning: has 5 micro-batches, of which an epoch takes the first "
              "4, as many as fill its updates and batches; x.4 is left out\n");

    const Json json = Json::parse(outcome.out);
    ASSERT_EQ(json["epochs"].size(), 3U);
    for (const Json& epoch : json["epochs"]) {
      EXPECT_DOUBLE_EQ(epoch["loss"].get<double>(), loss) << schedule;
      EXPECT_EQ(epoch["samples"], 14);
    }
    EXPECT_EQ(json["samples_left_out"], 2);
    EXPECT_EQ(json["microbatch_size"], Json({2, 4}));
  }

  // A file with micro-batches of several sizes has no costs for one size.
  const Outcome recorded = Stagecraft("train gpipe -p 2 -m 2 --record r.json " + task);
  EXPECT_EQ(recorded.code, 2);
  EXPECT_EQ(recorded.err,
            "--record: error: a profile is of micro-batches of one size, but those of the data "
            "have 2 to 4 samples; expected equal ones\n");
  // What is left out does not count: all others have 4 samples.
  EXPECT_EQ(Json::parse(Train("gpipe -p 2 -m 3 -n 1 --json " + task))["microbatch_size"], 4);
}

TEST_F(TrainingData, AFileOfNarrowTypesTrainsLikeItsWideTwin) {
  // Images of 4 x 1 pixels and 2 classes: whole numbers that all of these types have.
  const auto write = [](const char* file, auto x, ElementType x_type, auto y, ElementType y_type) {
    Safetensors content;
    for (const int q : {0, 1}) {
      HostTensor input = MakeHostTensor(x_type, {3, 4});
      HostTensor target = MakeHostTensor(y_type, {3});
      for (int i = 0; i < 12; ++i) {
        reinterpret_cast<decltype(x)*>(input.memory.data)[i] =
            static_cast<decltype(x)>((i * 7 + q) % 5);
      }
      for (int i = 0; i < 3; ++i) {
        reinterpret_cast<decltype(y)*>(target.memory.data)[i] =
            static_cast<decltype(y)>((i + q) % 2);
      }
      content.tensors["x." + std::to_string(q)] = input;
      content.tensors["y." + std::to_string(q)] = target;
    }
    WriteTestFile(file, WriteSafetensors(content));
  };
  using enum ElementType;
  write("wide.safetensors", 0.0, kFloat64, std::int64_t{0}, kInt64);
  write("bytes.safetensors", std::uint8_t{0}, kUint8, std::uint8_t{0}, kUint8);
  write("whole.safetensors", std::int64_t{0}, kInt64, 0.0F, kFloat32);
  const std::string task = "1f1b -p 2 -m 2 -n 2 --save a.safetensors --loss cross-entropy --data ";
  Train(task + "wide.safetensors");
  const std::string expected = ReadTestFile(TestPath("a.safetensors"));
  for (const char* file : {"bytes.safetensors", "whole.safetensors"}) {
    Train(task + file);
    EXPECT_EQ(ReadTestFile(TestPath("a.safetensors")), expected) << file;
  }
  // As numbers, classes are targets of a mean square: one output each.
  EXPECT_EQ(Stagecraft("train 1f1b -p 2 -m 2 -n 2 --loss mse --data bytes.safetensors").code, 2);

  WriteTestFile("one.json", R"({"format": "stagecraft-model", "version": 1, "stages":
    [[{"linear": {"in": 4, "out": 3}}], [{"linear": {"in": 3, "out": 1}}]]})");
  const Outcome outcome =
      Stagecraft("train 1f1b -p 2 -m 2 -n 2 --model ./one.json --data bytes.safetensors");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err,
            "bytes.safetensors: error: y.0: element [1] is 1; the model has 1 classes, from 0 to "
            "0\n");
}

}  // namespace
}  // namespace stagecraft
