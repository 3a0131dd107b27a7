#include "traces/stage_costs.h"

#include <cmath>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

/// Four layers at 10 samples; layer 3 also reads layer 0:
///
///   0 --> 1 --> 2 --> 3      forward 1, 2, 3, 4; backward 10, 20, 30, 40; output 100, 200, ...
///    \_______________^       weights 1000, 0, 0, 5000 bytes
Profile Diamond() {
  Profile profile;
  profile.microbatch_sizes = {10};
  for (std::int32_t i = 0; i < 4; ++i) {
    ProfileLayer& layer = profile.layers.emplace_back();
    layer.at.resize(1);
    layer.at[0].forward = Nanoseconds{i + 1};
    layer.at[0].backward = Nanoseconds{10 * (i + 1)};
    layer.at[0].output_bytes = 100 * (i + 1);
    layer.parameter_bytes = 0;
  }

  profile.layers[1].inputs = {0};
  profile.layers[2].inputs = {1};
  profile.layers[3].inputs = {0, 2};
  profile.layers[0].parameter_bytes = 1000;
  profile.layers[3].parameter_bytes = 5000;

  return profile;
}

constexpr double kBandwidth = 1e9;  ///< A byte per nanosecond.

Costs CostsOf(const Profile& profile, std::vector<std::int32_t> begin, double size = 10) {
  return OrThrow(StageCostsOf(profile, {std::move(begin)}, {size, kBandwidth}));
}

TEST(StageCostsOf, AddsUpTheLayersOfAStage) {
  const Costs costs = CostsOf(Diamond(), {0, 2, 4});
  ASSERT_EQ(costs.stages.size(), 2U);
  EXPECT_EQ(costs.microbatch_size, 10);
  EXPECT_EQ(costs.stages[0].forward, Nanoseconds{1 + 2});
  EXPECT_EQ(costs.stages[1].forward, Nanoseconds{3 + 4});
  EXPECT_EQ(costs.stages[1].backward, Nanoseconds{30 + 40});
  EXPECT_EQ(costs.stages[1].backward_input, Nanoseconds{15 + 20});
  EXPECT_EQ(costs.stages[1].backward_weight, Nanoseconds{15 + 20});
  EXPECT_EQ(costs.stages[1].recompute, Nanoseconds{3 + 4});
  EXPECT_EQ(costs.stages[1].allreduce, Nanoseconds{0});
  EXPECT_EQ(costs.stages[1].joined, std::nullopt);
  EXPECT_EQ(costs.stages[1].sizes.activation_bytes, 300 + 400);
  EXPECT_EQ(costs.stages[1].sizes.released_by_backward_input, 0);
}

// Cut behind 0: the output of 0, read by 1 and 3, crosses once. Behind 1: those of 0 and 1.
// Behind 2: those of 0 and 2.
TEST(StageCostsOf, CountsEveryProducerThatCrossesACutOnce) {
  const Costs costs = CostsOf(Diamond(), {0, 1, 2, 3, 4});
  EXPECT_EQ(costs.stages[0].sizes.input_bytes, 0);
  EXPECT_EQ(costs.stages[0].sizes.output_bytes, 100);
  EXPECT_EQ(costs.stages[1].sizes.input_bytes, 100);
  EXPECT_EQ(costs.stages[1].sizes.output_bytes, 100 + 200);
  EXPECT_EQ(costs.stages[2].sizes.output_bytes, 100 + 300);
  EXPECT_EQ(costs.stages[3].sizes.input_bytes, 100 + 300);
  EXPECT_EQ(costs.stages[3].sizes.output_bytes, 0);
}

// Stage 1: 5000 bytes of weights, 10000 of gradient and momentum. A step moves 5000 + 2 * 10000
// bytes, a prediction 3 * 5000, at a byte per nanosecond.
TEST(StageCostsOf, DerivesUpdatesFromTheBytesTheyMove) {
  const Costs costs = CostsOf(Diamond(), {0, 2, 4});
  EXPECT_EQ(costs.stages[1].sizes.parameter_bytes, 5000);
  EXPECT_EQ(costs.stages[1].sizes.optimizer_bytes, 10000);
  EXPECT_EQ(costs.stages[1].step, Nanoseconds{25000});
  EXPECT_EQ(costs.stages[1].predict, Nanoseconds{15000});
  EXPECT_EQ(costs.stages[0].step, Nanoseconds{5000});
}

TEST(StageCostsOf, ScalesWhatBelongsToTheMicrobatchAndNotTheWeights) {
  const Costs costs = CostsOf(Diamond(), {0, 2, 4}, 5);
  EXPECT_EQ(costs.stages[1].backward, Nanoseconds{15 + 20});
  EXPECT_EQ(costs.stages[0].sizes.output_bytes, (100 + 200) / 2);
  EXPECT_EQ(costs.stages[1].sizes.activation_bytes, 350);
  EXPECT_EQ(costs.stages[1].sizes.parameter_bytes, 5000);
  EXPECT_EQ(costs.stages[1].step, Nanoseconds{25000});
}

TEST(StageCostsOf, SaysWhatWasDerived) {
  EXPECT_EQ(
      CostsOf(Diamond(), {0, 2, 4}).derived,
      (std::vector<std::string>{
          "backward_input and backward_weight: half of backward each (if one is given, the "
          "other is the rest); activations are kept until backward_weight (4 of 4 layers)",
          "recompute: the forward again (4 of 4 layers)",
          "activation_bytes: sum of the layers' outputs (4 of 4 layers)",
          "optimizer_bytes: 2 * parameter_bytes, for gradient and momentum (4 of 4 layers)",
          "step: parameter_bytes + 2 * optimizer_bytes at a memory bandwidth of 1 GB/s (4 of 4 "
          "layers)",
          "predict: 3 * parameter_bytes at a memory bandwidth of 1 GB/s (4 of 4 layers)",
          "all-reduce: 0, since a profile knows no network",
      }));
}

TEST(StageCostsOf, SaysNothingOfOpsThatTheScheduleLacks) {
  OpKinds kinds;
  kinds.Add(OpKind::kBackward);
  EXPECT_EQ(OrThrow(StageCostsOf(Diamond(), {{0, 4}}, {10, kBandwidth, kinds})).derived,
            (std::vector<std::string>{
                "activation_bytes: sum of the layers' outputs (4 of 4 layers)",
                "optimizer_bytes: 2 * parameter_bytes, for gradient and momentum (4 of 4 layers)",
            }));
}

TEST(StageCostsOf, NamesTheLayersOfEachStage) {
  Profile profile = Diamond();
  profile.layers[0].name = "front";
  profile.layers[3].name = "back";
  const std::vector<StageLayers> layers = CostsOf(profile, {0, 1, 4}).layers;
  ASSERT_EQ(layers.size(), 2U);
  EXPECT_EQ(layers[0].last_name, "front");
  EXPECT_EQ(layers[1].first, 1);
  EXPECT_EQ(layers[1].last, 3);
  EXPECT_EQ(layers[1].last_name, "back");
  EXPECT_FALSE(CostsOf(profile, {0, 1, 4}).is_ready);

  profile.is_stages = true;
  const Costs ready = CostsOf(profile, {0, 1, 2, 3, 4});
  ASSERT_EQ(ready.layers.size(), 4U);
  EXPECT_EQ(ready.layers[3].first_name, "back");
  EXPECT_TRUE(ready.is_ready);
}

TEST(StageCostsOf, SaysHowTheSizeWasScaled) {
  const auto last_but_one = [](const Profile& profile, double size) {
    const Costs costs = CostsOf(profile, {0, 4}, size);
    return costs.derived[costs.derived.size() - 2];
  };
  EXPECT_EQ(last_but_one(Diamond(), 5),
            "times and activations at micro-batch size 5: in proportion to those measured at 10");
  Profile profile = Diamond();
  profile.microbatch_sizes = {10, 20, 40};
  for (ProfileLayer& layer : profile.layers) {
    layer.at.resize(3, layer.at[0]);
  }
  EXPECT_EQ(last_but_one(profile, 25),
            "times and activations at micro-batch size 25: between those measured at 20 and 40");
  EXPECT_EQ(last_but_one(profile, 80),
            "times and activations at micro-batch size 80: in proportion to those measured at 40");
  EXPECT_EQ(last_but_one(profile, 2.5),
            "times and activations at micro-batch size 2.5: in proportion to those measured at 10");
  EXPECT_EQ(last_but_one(profile, 20),
            "predict: 3 * parameter_bytes at a memory bandwidth of 1 GB/s (4 of 4 layers)");
}

TEST(StageCostsOf, DerivesNothingThatWasMeasured) {
  Profile profile = Diamond();
  profile.is_stages = true;
  for (ProfileLayer& layer : profile.layers) {
    MeasuredCosts& costs = layer.at[0];
    costs.backward_input = costs.backward_weight = costs.recompute = Nanoseconds{6};
    costs.activation_bytes = 7;
    layer.step = layer.predict = Nanoseconds{8};
    layer.optimizer_bytes = 9;
  }

  // A single gap is told, with how many stages have it.
  profile.layers[2].predict.reset();
  const Costs costs = CostsOf(profile, {0, 1, 2, 3, 4});
  EXPECT_EQ(costs.derived,
            (std::vector<std::string>{
                "predict: 3 * parameter_bytes at a memory bandwidth of 1 GB/s (1 of 4 stages)",
                "all-reduce: 0, since a profile knows no network"}));

  EXPECT_EQ(costs.stages[0].step, Nanoseconds{8});
  EXPECT_EQ(costs.stages[0].sizes.optimizer_bytes, 9);
  EXPECT_EQ(costs.stages[0].sizes.activation_bytes, 7);
}

TEST(StageCostsOf, RefusesPartitionsThatAreNone) {
  const std::vector<std::vector<std::int32_t>> wrong{
      {}, {0}, {0, 3}, {1, 4}, {0, 5}, {0, 2, 2, 4}, {0, 3, 2, 4}, {0, -1, 4}};
  for (const std::vector<std::int32_t>& begin : wrong) {
    const Result<Costs> result = StageCostsOf(Diamond(), {begin}, {10});
    EXPECT_FALSE(result);
    EXPECT_EQ(result.diagnostics.at(0).message,
              "expected a partition of all 4 layers into stages of at least one layer each, in "
              "ascending order");
  }
}

TEST(StageCostsOf, RefusesSizesAndBandwidthsOutOfRange) {
  EXPECT_EQ(StageCostsOf(Diamond(), {{0, 4}}, {10, 0}).diagnostics.at(0).message,
            "expected a memory bandwidth above 0 bytes per second, got 0");
  EXPECT_FALSE(StageCostsOf(Diamond(), {{0, 4}}, {10, std::nan("")}));
  EXPECT_FALSE(StageCostsOf(Diamond(), {{0, 4}}, {0}));
}

TEST(StageCostsOf, ReportsEveryTotalOutOfRange) {
  Profile profile = Diamond();
  profile.layers[0].at[0].backward = kMaxDuration;
  profile.layers[1].at[0].backward = Nanoseconds{1};
  profile.layers[2].parameter_bytes = kMaxBytes;
  profile.layers[3].parameter_bytes = 1;

  const Result<Costs> result = StageCostsOf(profile, {{0, 2, 4}}, {10, 1e30});
  std::vector<std::string> messages;
  for (const Diagnostic& fault : result.diagnostics) {
    messages.push_back(fault.message);
  }

  EXPECT_FALSE(result);
  EXPECT_EQ(messages,
            (std::vector<std::string>{"stage 0: backward takes more than one hour",
                                      "stage 1: parameter_bytes is more than one pebibyte",
                                      "stage 1: optimizer_bytes is more than one pebibyte"}));
}

TEST(StageCostsOf, RefusesOutputsThatTogetherAreOutOfRange) {
  Profile profile = Diamond();
  profile.layers[0].at[0].output_bytes = kMaxBytes;
  EXPECT_EQ(StageCostsOf(profile, {{0, 4}}, {10}).diagnostics.at(0).message,
            "the layers' outputs together are more than one pebibyte");
}

TEST(StageCostsOf, RefusesUpdatesThatTakeTooLong) {
  EXPECT_EQ(StageCostsOf(Diamond(), {{0, 4}}, {10, 1e-9}).diagnostics.at(0).message,
            "stage 0: step takes more than one hour");
}

}  // namespace
}  // namespace stagecraft
