#include "traces/profile_json.h"

#include <gtest/gtest.h>

#include "tests/support/mutate.h"
#include "tests/support/random_profile.h"

namespace stagecraft {
namespace {

TEST(PrintProfile, WritesOneLayerPerLineAndOnlyWhatIsKnown) {
  Profile profile;
  profile.source.model = "two \"layers\"";
  profile.source.licence = "MIT";
  profile.microbatch_sizes = {8};
  profile.layers.resize(3);
  for (ProfileLayer& layer : profile.layers) {
    layer.at.resize(1);
    layer.at[0].forward = Nanoseconds{10};
    layer.at[0].backward = Nanoseconds{20};
  }

  profile.layers[0].name = "conv";
  profile.layers[0].at[0].output_bytes = 64;
  profile.layers[0].parameter_bytes = 5;
  profile.layers[1].inputs = {0};
  profile.layers[2].inputs = {0, 1};

  EXPECT_EQ(PrintProfile(profile), R"({
  "format": "stagecraft-profile",
  "version": 1,
  "source": {
    "model": "two \"layers\"",
    "licence": "MIT"
  },
  "microbatch_sizes": [8],
  "layers": [
    {"name": "conv", "forward_ns": 10, "backward_ns": 20, "output_bytes": 64, "parameter_bytes": 5},
    {"name": "", "forward_ns": 10, "backward_ns": 20},
    {"name": "", "inputs": [0, 1], "forward_ns": 10, "backward_ns": 20}
  ]
}
)");
}

TEST(PrintProfile, WritesListsWhereSeveralSizesWereMeasured) {
  Profile profile;
  profile.is_stages = true;
  profile.microbatch_sizes = {4, 8};
  profile.layers.resize(1);
  profile.layers[0].at.resize(2);
  profile.layers[0].at[0].forward = Nanoseconds{1};
  profile.layers[0].at[1].forward = Nanoseconds{2};
  profile.layers[0].at[1].backward = Nanoseconds{3};
  profile.layers[0].step = Nanoseconds{4};

  EXPECT_EQ(PrintProfile(profile), R"({
  "format": "stagecraft-profile",
  "version": 1,
  "microbatch_sizes": [4, 8],
  "stages": [
    {"name": "", "forward_ns": [1, 2], "backward_ns": [null, 3], "step_ns": 4}
  ]
}
)");
}

TEST(PrintProfile, IsReadBackAndAFixedPoint) {
  test::RandomProfile random(test::SeedFromEnvironment(20240501));
  for (int i = 0; i < 500; ++i) {
    const Profile profile = random.Next();
    const std::string text = PrintProfile(profile);
    const Profile read = OrThrow(ParseProfile(text, "random"));
    ASSERT_EQ(read, profile) << text;
    ASSERT_EQ(PrintProfile(read), text);
  }
}

TEST(PrintProfile, ReplacesBytesThatAreNotUtf8) {
  Profile profile;
  profile.microbatch_sizes = {1};
  profile.layers.resize(1);
  profile.layers[0].name = "\xff";
  profile.layers[0].at.resize(1);
  profile.layers[0].at[0].forward = profile.layers[0].at[0].backward = Nanoseconds{1};
  EXPECT_TRUE(ParseProfile(PrintProfile(profile), "test"));
}

}  // namespace
}  // namespace stagecraft
