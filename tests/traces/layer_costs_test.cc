#include "traces/layer_costs.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

/// One layer measured at 4 and 8 samples: forward 100 and 150 ns.
Profile MeasuredTwice() {
  Profile profile;
  profile.microbatch_sizes = {4, 8};
  profile.layers.resize(1);
  profile.layers[0].at.resize(2);
  profile.layers[0].at[0].forward = Nanoseconds{100};
  profile.layers[0].at[1].forward = Nanoseconds{150};
  for (MeasuredCosts& costs : profile.layers[0].at) {
    costs.backward = Nanoseconds{301};
    costs.output_bytes = 10;
  }
  return profile;
}

LayerCosts At(const Profile& profile, double size) {
  return CostsAt(profile.layers[0], OrThrow(FindSize(profile, size)));
}

TEST(CostsAt, AreThoseMeasuredAtAMeasuredSize) {
  const Profile profile = MeasuredTwice();
  EXPECT_EQ(At(profile, 4).forward, Nanoseconds{100});
  EXPECT_EQ(At(profile, 8).forward, Nanoseconds{150});
}

// Between 4 and 8: 100 + 50 * (5 - 4) / 4 = 112.5, rounded away from zero in its last part: 113.
TEST(CostsAt, LieOnTheLineBetweenTheSizesAround) {
  const Profile profile = MeasuredTwice();
  EXPECT_EQ(At(profile, 6).forward, Nanoseconds{125});
  EXPECT_EQ(At(profile, 5).forward, Nanoseconds{113});
  EXPECT_EQ(At(profile, 6).output_bytes, 10);
}

// Below the smallest size 100 * 2 / 4, above the largest 150 * 12 / 8.
TEST(CostsAt, AreInProportionBeyondTheEnds) {
  const Profile profile = MeasuredTwice();
  EXPECT_EQ(At(profile, 2).forward, Nanoseconds{50});
  EXPECT_EQ(At(profile, 12).forward, Nanoseconds{225});
  EXPECT_EQ(At(profile, 2).output_bytes, 5);
}

TEST(CostsAt, FallBetweenSizesIfTheyDidWhenMeasured) {
  Profile profile = MeasuredTwice();
  profile.layers[0].at[1].forward = Nanoseconds{60};
  EXPECT_EQ(At(profile, 6).forward, Nanoseconds{80});
}

TEST(CostsAt, HalveTheBackwardWhereItsPartsAreUnknown) {
  const LayerCosts costs = At(MeasuredTwice(), 4);
  EXPECT_EQ(costs.backward, Nanoseconds{301});
  EXPECT_EQ(costs.backward_input, Nanoseconds{150});
  EXPECT_EQ(costs.backward_weight, Nanoseconds{151});
}

TEST(CostsAt, GiveTheOtherPartOfTheBackwardWhatIsLeft) {
  Profile profile = MeasuredTwice();
  profile.layers[0].at[0].backward_input = Nanoseconds{100};
  EXPECT_EQ(At(profile, 4).backward_weight, Nanoseconds{201});
  profile.layers[0].at[0].backward_input = Nanoseconds{400};
  EXPECT_EQ(At(profile, 4).backward_weight, Nanoseconds{0});
  profile.layers[0].at[0].backward_input.reset();
  profile.layers[0].at[0].backward_weight = Nanoseconds{1};
  EXPECT_EQ(At(profile, 4).backward_input, Nanoseconds{300});
}

TEST(CostsAt, AddUpTheBackwardFromItsParts) {
  Profile profile = MeasuredTwice();
  profile.layers[0].at[0].backward.reset();
  profile.layers[0].at[0].backward_input = Nanoseconds{7};
  profile.layers[0].at[0].backward_weight = Nanoseconds{5};
  EXPECT_EQ(At(profile, 4).backward, Nanoseconds{12});
}

TEST(CostsAt, RecomputeTheForwardAndKeepTheOutputUnlessMeasured) {
  Profile profile = MeasuredTwice();
  EXPECT_EQ(At(profile, 4).recompute, Nanoseconds{100});
  EXPECT_EQ(At(profile, 4).activation_bytes, 10);
  profile.layers[0].at[0].recompute = Nanoseconds{9};
  profile.layers[0].at[0].activation_bytes = 99;
  EXPECT_EQ(At(profile, 4).recompute, Nanoseconds{9});
  EXPECT_EQ(At(profile, 4).activation_bytes, 99);
}

TEST(CostsAt, StopJustAboveTheLimit) {
  Profile profile = MeasuredTwice();
  profile.layers[0].at[1].forward = kMaxDuration;
  profile.layers[0].at[1].output_bytes = kMaxBytes;
  EXPECT_EQ(At(profile, 1e9).forward, kMaxDuration + Nanoseconds{1});
  EXPECT_EQ(At(profile, 1e9).output_bytes, kMaxBytes + 1);
}

TEST(FindSize, RefusesSizesOutOfRange) {
  for (const double size :
       {0.0, -1.0, 1e10, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const Result<SizePosition> result = FindSize(MeasuredTwice(), size);
    EXPECT_FALSE(result);
    ASSERT_EQ(result.diagnostics.size(), 1U);
  }
  EXPECT_EQ(FindSize(MeasuredTwice(), 0).diagnostics[0].message,
            "expected a micro-batch size above 0 and at most 1000000000 samples, got 0");
}

}  // namespace
}  // namespace stagecraft
