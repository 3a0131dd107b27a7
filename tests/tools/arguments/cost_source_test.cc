#include "tools/arguments/cost_source.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "schedules/registry.h"
#include "schedules/text.h"

namespace stagecraft {
namespace {

using namespace std::chrono_literals;
using enum InlineCosts::Duration;
using enum InlineCosts::Size;

Schedule OneStage() {
  return OrThrow(
      Parse("stagecraft schedule 1\n"
            "shape ranks 1 stages 1 microbatches 1\n"
            "place 0: 0\n"
            "rank 0 0F0@0 0B0@0 0S@0\n",
            "whole"));
}

Schedule Generated(const char* name, std::int32_t ranks) {
  return OrThrow(Generate(name, {.ranks = ranks, .microbatches = 8}));
}

/// Layers whose forward takes `times`, and whose backward twice that.
Profile Layers(const std::vector<std::int64_t>& times) {
  Profile profile;
  profile.microbatch_sizes = {4, 8};
  for (const std::int64_t time : times) {
    ProfileLayer& layer = profile.layers.emplace_back();
    layer.name = "layer " + std::to_string(profile.layers.size() - 1);
    layer.at.resize(2);
    layer.at[0].forward = Nanoseconds{time};
    layer.at[0].backward = Nanoseconds{2 * time};
    layer.at[1].forward = Nanoseconds{2 * time};
    layer.at[1].backward = Nanoseconds{4 * time};
  }
  return profile;
}

CostSource FromProfile(Profile profile, std::vector<std::int32_t> cut = {}) {
  return CostSource({.flags = {}, .profile = std::move(profile), .cut = std::move(cut)});
}

std::vector<std::int32_t> FirstLayers(const Costs& costs) {
  std::vector<std::int32_t> first;
  for (const StageLayers& layers : costs.layers) {
    first.push_back(layers.first);
  }
  return first;
}

using Layers3 = std::vector<std::int32_t>;

TEST(CostSource, ABatchCostsSoManyMicrobatchesButOneStep) {
  InlineCosts given;
  given.durations[kF] = {7ns};
  given.durations[kS] = {9ns};
  given.sizes[kActivation] = {100};
  given.sizes[kParameters] = {1000};
  const Costs costs = CostSource({.flags = given, .microbatch_size = 2}).For(OneStage(), {8});
  EXPECT_EQ(costs.stages[0].forward, 56ns);
  EXPECT_EQ(costs.stages[0].step, 9ns);
  EXPECT_EQ(costs.stages[0].sizes.activation_bytes, 800);
  EXPECT_EQ(costs.stages[0].sizes.parameter_bytes, 1000);
  EXPECT_EQ(costs.microbatch_size, 16);
}

TEST(CostSource, RefusesABatchThatIsOutOfRange) {
  InlineCosts given;
  given.durations[kF] = {std::chrono::minutes(59)};
  EXPECT_THROW(static_cast<void>(CostSource({.flags = given}).For(OneStage(), {2})),
               CommandFailure);
}

// Two stages on each of two ranks: half of a rank's share each, where flags are per rank.
TEST(CostSource, GivesEveryStageItsShareOfARank) {
  InlineCosts given;
  given.durations[kF] = {4ns};
  given.durations[kB] = {8ns};
  const Schedule schedule = Generated("interleaved-1f1b", 2);

  EXPECT_EQ(CostSource({.flags = given}).For(schedule).stages[3].forward, 4ns);
  const CostSource per_rank({.flags = given, .per = CostsPer::kRank});
  EXPECT_EQ(per_rank.For(schedule).stages[3].forward, 2ns);
  EXPECT_EQ(per_rank.For(schedule).derived.back(),
            "4 stages: the costs that the flags give for each of 2 ranks, divided over the stages "
            "that it holds");
  EXPECT_EQ(per_rank.For(Generated("data-parallel", 2)).stages[0].forward, 8ns);
  EXPECT_EQ(per_rank.For(Generated("sequential", 2), {1, 2}).stages[1].forward, 4ns);

  EXPECT_EQ(per_rank.Basis(2),
            "costs of flags per rank (1/2 of the model, shared out over its stages)");
  EXPECT_EQ(CostSource({.flags = given}).Basis(2), "costs of flags per stage");
}

TEST(CostSource, TakesTheSmallestMeasuredSizeUnlessOneIsGivenAndSaysSo) {
  const Schedule schedule = Generated("1f1b", 2);
  CostSource source = FromProfile(Layers({1, 1}));
  EXPECT_EQ(source.MicrobatchSize(), 4);
  EXPECT_EQ(source.For(schedule).stages[0].forward, 1ns);
  EXPECT_EQ(source.For(schedule).derived.front(),
            "micro-batches of 4 samples: the smallest size that was measured, since none is given");
  source = CostSource({.flags = {}, .profile = Layers({1, 1}), .microbatch_size = 8});
  EXPECT_EQ(source.For(schedule).stages[0].forward, 2ns);
  EXPECT_NE(source.For(schedule).derived.front().substr(0, 14), "micro-batches ");
  EXPECT_EQ(CostSource({.flags = {}}).MicrobatchSize(), 1);
}

// Times 9 1 1 1 1 1 1 1: four stages in a row are cut so that none takes more than 9; on a V, where
// rank 0 has the first and the last, so that these two take 10 together.
TEST(CostSource, CutsForThePlacementOfEachSchedule) {
  const CostSource source = FromProfile(Layers({9, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(FirstLayers(source.For(Generated("1f1b", 4))), (Layers3{0, 1, 3, 5}));
  const Costs on_a_v = source.For(Generated("zb-v", 2));
  EXPECT_EQ(FirstLayers(on_a_v), (Layers3{0, 1, 4, 7}));
  EXPECT_EQ(on_a_v.cut,
            "cut by time (forward + backward, at equal speeds): the busiest rank takes 30 ns for a "
            "micro-batch, and no cut takes less");
  EXPECT_EQ(on_a_v.layers[3].last_name, "layer 7");
}

TEST(CostSource, CutsWhereItIsToldAndWhereTheProfileSays) {
  Profile profile = Layers({1, 1, 1, 1});
  const Schedule schedule = Generated("1f1b", 2);
  EXPECT_EQ(FirstLayers(FromProfile(profile, {3}).For(schedule)), (Layers3{0, 3}));
  EXPECT_EQ(FromProfile(profile, {3}).For(schedule).cut, "cut as --cut says");
  EXPECT_THROW(static_cast<void>(FromProfile(profile, {1, 2}).For(schedule)), CommandFailure);
  EXPECT_THROW(static_cast<void>(FromProfile(profile, {4}).For(schedule)), CommandFailure);

  profile.cut = {{1}};
  EXPECT_EQ(FirstLayers(FromProfile(profile).For(schedule)), (Layers3{0, 1}));
  EXPECT_EQ(FromProfile(profile).For(schedule).cut, "cut as the profile says");
  EXPECT_EQ(FromProfile(profile).For(Generated("1f1b", 4)).cut,
            "cut by time (forward + backward, at equal speeds): the busiest rank takes 3 ns for a "
            "micro-batch, and no cut takes less; the profile's own cut is for 2 stages");

  profile.cut = std::vector<std::int32_t>();
  EXPECT_EQ(FromProfile(profile).For(schedule).cut,
            "cut by time (forward + backward, at equal speeds): the busiest rank takes 6 ns for a "
            "micro-batch, and no cut takes less; the profile itself names one stage");
  EXPECT_EQ(FromProfile(profile).For(OneStage()).cut, "cut as the profile says");
}

// Forwards of 1 each; the first layer's backward takes 20. Forwards alone are cut in the middle.
TEST(CostSource, CutsAnEvaluationByItsForwards) {
  Profile profile = Layers({1, 1, 1, 1});
  profile.layers[0].at[0].backward = Nanoseconds{20};
  const Schedule evaluation =
      OrThrow(Parse("stagecraft schedule 1\n"
                    "shape ranks 2 stages 2 microbatches 1\n"
                    "mode forward\n"
                    "place 0: 0\n"
                    "place 1: 1\n"
                    "rank 0 0F0@0\n"
                    "rank 1 1F0@0\n",
                    "evaluation"));

  // The forwards alone are even in the middle, forward and backward behind the first layer.
  const CostSource source = FromProfile(profile);
  EXPECT_EQ(FirstLayers(source.For(Generated("1f1b", 2))), (Layers3{0, 1}));

  const Costs costs = source.For(evaluation);
  EXPECT_EQ(FirstLayers(costs), (Layers3{0, 2}));
  EXPECT_EQ(costs.cut,
            "cut by time (forward, at equal speeds): the busiest rank takes 2 ns for a "
            "micro-batch, and no cut takes less");
}

// 6 layers of 3 on two ranks, of which one is twice as fast: 12 at speed 2 take as long as 6.
TEST(CostSource, CutsForTheSpeedOfEachRank) {
  const CostSource source(
      {.flags = {}, .profile = Layers({1, 1, 1, 1, 1, 1}), .speeds = {{0, 9}, {0, 2}, {5, 3}}});
  const Costs costs = source.For(Generated("1f1b", 2));
  EXPECT_EQ(FirstLayers(costs), (Layers3{0, 4}));
  EXPECT_EQ(costs.cut,
            "cut by time (forward + backward, at the speeds that --speed gives): the busiest rank "
            "takes 6 ns for a micro-batch, and no cut takes less");
}

}  // namespace
}  // namespace stagecraft
