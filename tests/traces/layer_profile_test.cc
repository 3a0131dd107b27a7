#include "traces/layer_profile.h"

#include <functional>

#include <gtest/gtest.h>

#include "tests/support/random_profile.h"

namespace stagecraft {
namespace {

Profile TwoLayers() {
  Profile profile;
  profile.microbatch_sizes = {4, 8};
  profile.layers.resize(2);
  for (ProfileLayer& layer : profile.layers) {
    layer.at.resize(2);
    for (MeasuredCosts& costs : layer.at) {
      costs.forward = Nanoseconds{1};
      costs.backward = Nanoseconds{2};
    }
  }
  profile.layers[1].inputs = {0};
  return profile;
}

/// `where: message` of everything wrong after `damage`.
std::vector<std::string> FaultsAfter(const std::function<void(Profile&)>& damage) {
  Profile profile = TwoLayers();
  damage(profile);
  std::vector<std::string> texts;
  for (const Diagnostic& fault : CheckProfile(profile)) {
    texts.push_back(fault.where + ": " + fault.message);
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(CheckProfile, AcceptsWhatIsUsable) {
  EXPECT_EQ(FaultsAfter([](Profile&) {}), Texts{});
  test::RandomProfile random(1);
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(CheckProfile(random.Next()).empty());
  }
}

TEST(CheckProfile, WantsAscendingSizes) {
  EXPECT_EQ(
      FaultsAfter([](Profile& p) {
        p.microbatch_sizes = {8, 8};
      }),
      Texts{"/microbatch_sizes/1: expected ascending sizes from 1 to 1000000000 samples, got 8"});
  EXPECT_EQ(FaultsAfter([](Profile& p) { p.microbatch_sizes = {0, 8}; }).size(), 1U);
  EXPECT_EQ(FaultsAfter([](Profile& p) {
              p.microbatch_sizes.clear();
              p.layers[0].at.clear();
              p.layers[1].at.clear();
            }),
            Texts{"/microbatch_sizes: expected 1 to 1000 sizes, got 0"});
}

TEST(CheckProfile, WantsLayersWithCostsAtEverySize) {
  EXPECT_EQ(FaultsAfter([](Profile& p) { p.layers.clear(); }),
            Texts{"/layers: expected 1 to 100000 layers, got 0"});
  EXPECT_EQ(FaultsAfter([](Profile& p) { p.layers[1].at.pop_back(); }),
            Texts{"/layers/1: expected costs at 2 sizes, got 1"});

  EXPECT_EQ(FaultsAfter([](Profile& p) { p.layers[1].at[1].forward.reset(); }),
            Texts{"/layers/1: expected forward_ns at micro-batch size 8"});

  EXPECT_EQ(
      FaultsAfter([](Profile& p) {
        p.is_stages = true;
        p.layers[0].at[0].backward.reset();
        p.layers[0].at[0].backward_input = Nanoseconds{1};
      }),
      Texts{"/stages/0: expected backward_ns, or backward_input_ns and backward_weight_ns, at "
            "micro-batch size 4"});
}

TEST(CheckProfile, WantsInputsBeforeTheirReadersInOrder) {
  EXPECT_EQ(
      FaultsAfter([](Profile& p) { p.layers[1].inputs = {1}; }),
      Texts{"/layers/1/inputs/0: expected ascending indices of layers before layer 1, got 1"});
  EXPECT_EQ(
      FaultsAfter([](Profile& p) {
        p.layers[1].inputs = {0, 0};
      }),
      Texts{"/layers/1/inputs/1: expected ascending indices of layers before layer 1, got 0"});
  EXPECT_EQ(FaultsAfter([](Profile& p) { p.layers[1].inputs = {-1}; }).size(), 1U);
}

TEST(CheckProfile, ReportsEveryNumberOutOfRange) {
  EXPECT_EQ(FaultsAfter([](Profile& p) {
              p.layers[0].at[1].forward = Nanoseconds{-1};
              p.layers[1].step = kMaxDuration + Nanoseconds{1};
              p.layers[1].parameter_bytes = kMaxBytes + 1;
            }),
            (Texts{"/layers/0/forward_ns/1: expected an integer from 0 to 3600000000000, got -1",
                   "/layers/1/step_ns: expected an integer from 0 to 3600000000000, got "
                   "3600000000001",
                   "/layers/1/parameter_bytes: expected an integer from 0 to 1125899906842624, got "
                   "1125899906842625"}));
}

// 1,000 sizes of 1,001 layers would be more than a million measurements.
TEST(CheckProfile, LimitsTheNumberOfMeasurements) {
  Profile profile;
  profile.layers.resize(1001);
  for (std::int64_t size = 1; size <= 1000; ++size) {
    profile.microbatch_sizes.push_back(size);
  }
  const std::vector<Diagnostic> faults = CheckProfile(profile);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].message,
            "expected at most 1000000 pairs of a layer and a micro-batch size, got 1001000");
}

}  // namespace
}  // namespace stagecraft
