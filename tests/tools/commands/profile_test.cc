#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"
#include "traces/profile_json.h"

namespace stagecraft {
namespace {

TEST(ProfileCommand, WritesAProfileThatCanBeCutAndSimulated) {
  if (!STAGECRAFT_HAS_TORCH) {
    GTEST_SKIP() << "built without LibTorch";
  }

  const Outcome outcome =
      Stagecraft("profile --model mlp --width 16 --microbatches 8 -o mlp.profile.json");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("flatten linear relu"), std::string::npos) << outcome.out;

  const Profile profile =
      OrThrow(ParseProfile(ReadTestFile(TestPath("mlp.profile.json")), "mlp.profile.json"));
  ASSERT_EQ(profile.layers.size(), 4U);
  EXPECT_EQ(profile.microbatch_sizes, std::vector<std::int64_t>{16});
  EXPECT_FALSE(profile.is_stages);
  EXPECT_TRUE(profile.layers[0].predict);
  EXPECT_EQ(profile.layers[0].at[0].output_bytes, 16 * 16 * 4);
  EXPECT_EQ(profile.layers[3].parameter_bytes, (16 * 10 + 16) * 4);  // 10 biases, in 16.

  EXPECT_EQ(Stagecraft("simulate 1f1b --profile ./mlp.profile.json --stages 2 --microbatch-size 16 "
                       "-m 4")
                .code,
            0);
}

TEST(ProfileCommand, AModelOfNothingIsRefused) {
  const Outcome outcome = Stagecraft("profile --model mpl");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("did you mean 'mlp'?"), std::string::npos) << outcome.err;
  EXPECT_EQ(Stagecraft("profile --model model.py").err,
            "--model: error: expected mlp, convnet, gpt or a model file *.json, as "
            "engine/model/model_file.h says, got 'model.py'\n");
  EXPECT_EQ(Stagecraft("train 1f1b --model model.py").err,
            Stagecraft("profile --model model.py").err);
}

TEST(ProfileCommand, FlagsThatChangeNothingAreNamed) {
  if (!STAGECRAFT_HAS_TORCH) {
    GTEST_SKIP() << "built without LibTorch";
  }
  EXPECT_EQ(
      Stagecraft("profile --width 16 --microbatches 4 --epochs 3 --cut 1 --betas 0.9,0.99").err,
      "--betas: warning: changes nothing here: is of adam and adamw\n"
      "--epochs: warning: changes nothing here: --microbatches says how much is measured\n"
      "--cut: warning: changes nothing here: each unit is measured by itself\n");
}

}  // namespace
}  // namespace stagecraft
