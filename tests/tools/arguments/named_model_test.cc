#include "tools/arguments/named_model.h"

#include <string>

#include <gtest/gtest.h>

#include "tools/command.h"

namespace stagecraft {
namespace {

std::string FaultOf(const std::string& model) {
  try {
    CheckModelName(model);
  } catch (const CommandFailure& failure) {
    return failure.what();
  }
  return "none";
}

TEST(CheckModelName, SaysWhatAModelMayBe) {
  for (const char* model : {"mlp", "convnet", "gpt", "m.json", "./model.py"}) {
    EXPECT_EQ(FaultOf(model), "none");  // Whatever has a folder is a file; reading it says more.
  }
  EXPECT_EQ(FaultOf("model.py"),
            "--model: error: expected mlp, convnet, gpt or a model file *.json, as "
            "engine/model/model_file.h says, got 'model.py'");
  EXPECT_NE(FaultOf("mpl").find("did you mean 'mlp'?"), std::string::npos);
}

TEST(UnitsOfNamed, HaveTheSizesThatWereGiven) {
  TrainingData data;
  data.sample = {8};
  data.outputs = 3;
  EXPECT_EQ(UnitsOfNamed({"mlp", 16, 2, {}}, data).size(), 3U);  // Two hidden ones and the last.
  EXPECT_EQ(UnitsOfNamed({"gpt", 16, 5, 2}, data).size(),
            UnitsOfNamed({"gpt", 16, 4, 2}, data).size() + 1);
}

}  // namespace
}  // namespace stagecraft
