#include "traces/placed_cut.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/layer_chain.h"
#include "tests/support/mutate.h"

namespace stagecraft {
namespace {

using Times = std::vector<std::int64_t>;

std::size_t StagesOf(const Placement& placement) {
  std::int32_t last = 0;
  for (const std::vector<std::int32_t>& stages : placement) {
    last = std::max(last, *std::max_element(stages.begin(), stages.end()));
  }
  return static_cast<std::size_t>(last) + 1;
}

/// The definition, word by word: busiest rank and slowest stage, a stage shared by its ranks.
std::pair<double, double> Rate(const Times& times, const std::vector<std::int32_t>& begin,
                               const Placement& placement, const std::vector<double>& speed) {
  std::vector<double> share;
  for (std::size_t stage = 0; stage + 1 < begin.size(); ++stage) {
    std::int64_t replicas = 0;
    for (const std::vector<std::int32_t>& stages : placement) {
      replicas += std::count(stages.begin(), stages.end(), static_cast<std::int32_t>(stage));
    }
    std::int64_t time = 0;
    for (std::int32_t layer = begin[stage]; layer < begin[stage + 1]; ++layer) {
      time += times[static_cast<std::size_t>(layer)];
    }
    share.push_back(static_cast<double>(time) / static_cast<double>(replicas));
  }

  double busiest = 0;
  double slowest = 0;
  for (std::size_t rank = 0; rank < placement.size(); ++rank) {
    double busy = 0;
    for (const std::int32_t stage : placement[rank]) {
      const double time = share[static_cast<std::size_t>(stage)] / speed[rank];
      slowest = std::max(slowest, time);
      busy += time;
    }
    busiest = std::max(busiest, busy);
  }
  return {busiest, slowest};
}

/// Calls `visit` with every cut of `layers` into `stages`.
void EachCut(std::int32_t layers, std::size_t stages,
             const std::function<void(const std::vector<std::int32_t>&)>& visit) {
  std::vector<std::int32_t> begin(stages + 1, 0);
  const std::function<void(std::size_t)> place = [&](std::size_t stage) {
    if (stage == stages) {
      begin[stages] = layers;
      visit(begin);
      return;
    }
    for (begin[stage] = begin[stage - 1] + 1; begin[stage] < layers; ++begin[stage]) {
      place(stage + 1);
    }
  };
  place(1);
}

/// The least there is for the busiest rank, and for the slowest stage of all cuts within 2 % of it.
std::pair<double, double> BestOfAll(const Times& times, const Placement& placement,
                                    const std::vector<double>& speed) {
  std::vector<std::pair<double, double>> all;
  EachCut(static_cast<std::int32_t>(times.size()), StagesOf(placement),
          [&](const std::vector<std::int32_t>& begin) {
            all.push_back(Rate(times, begin, placement, speed));
          });
  const double least = std::min_element(all.begin(), all.end())->first;
  double slowest = 1e300;
  for (const auto& [busiest, stage] : all) {
    slowest = busiest <= 1.02 * least ? std::min(slowest, stage) : slowest;
  }
  return {least, slowest};
}

std::vector<Placement> Placements() {
  return {VPlacement(2),        VPlacement(3),
          LoopPlacement(2, 2),  LoopPlacement(3, 2),
          LoopPlacement(2, 3),  ZigzagPlacement(2, 4),
          StraightPlacement(4), BidirectionalPlacement(2),
          {{0}, {0}, {0}, {1}}, {{0, 1}, {0, 2}, {1, 2}},
          {{0, 1, 2, 3}},       BidirectionalPlacement(4)};
}

constexpr double kSpeeds[] = {0.5, 1, 1, 4};

TEST(CutForPlacement, IsTheBestOfAllCutsOfRandomChains) {
  std::mt19937_64 random(test::SeedFromEnvironment(11));
  for (int round = 0; round < 200; ++round) {
    for (const Placement& placement : Placements()) {
      Times times(StagesOf(placement) + random() % 6);
      for (std::int64_t& time : times) {
        time = static_cast<std::int64_t>(random() % 5 == 0 ? 0 : random() % 50);
      }
      std::vector<double> speed(placement.size(), 1);
      for (double& each : speed) {
        each = round % 2 == 0 ? 1 : kSpeeds[random() % std::size(kSpeeds)];
      }
      const PlacedCut cut =
          OrThrow(CutForPlacement(test::LayerChain(times), placement, 1, {.speed = speed}));
      const std::pair<double, double> best = BestOfAll(times, placement, speed);

      ASSERT_TRUE(cut.is_proved);
      ASSERT_EQ(Rate(times, cut.partition.begin, placement, speed),
                std::make_pair(cut.load.busiest_rank, cut.load.slowest_stage));
      // Of one stage per rank, replicas are balanced to the nanosecond of work, which takes one at
      // half speed two; a stage's ranks are alike.
      const bool is_straight = std::all_of(placement.begin(), placement.end(),
                                           [](const auto& on_rank) { return on_rank.size() == 1; });
      if (is_straight || placement.size() == 1) {
        ASSERT_LT(cut.load.busiest_rank, best.first + 1 / std::min(1.0, std::ranges::min(speed)));
      } else {
        ASSERT_EQ(cut.least, best.first);
        ASSERT_LE(cut.load.busiest_rank, 1.02 * best.first);
        ASSERT_EQ(cut.load.slowest_stage, best.second);
      }
      ASSERT_GE(cut.load.busiest_rank, cut.bound - 1e-6);
    }
  }
}

// 16 in 8 layers on a V of 2 ranks, stages 0 and 3 on rank 0. The even cut has 9 | 2 | 2 | 3, so
// that rank 0 takes 12. The first stage takes at least 9 and the last at least 1: 10 is the least.
TEST(CutForPlacement, EvensOutRanksAndNotStages) {
  const Times times{9, 1, 1, 1, 1, 1, 1, 1};
  const PlacedCut cut = OrThrow(CutForPlacement(test::LayerChain(times), VPlacement(2), 1));
  EXPECT_EQ(cut.partition.begin, (std::vector<std::int32_t>{0, 1, 4, 7, 8}));
  EXPECT_EQ(cut.load.busiest_rank, 10);
  EXPECT_EQ(cut.least, 10);
  EXPECT_EQ(cut.load.slowest_stage, 9);
  EXPECT_EQ(cut.bound, 8);
  EXPECT_TRUE(cut.is_proved);
}

// A stage on 3 ranks takes a third of its time on each: 30 of 40 in front, 10 on one rank.
TEST(CutForPlacement, CountsTheShareOfEachReplica) {
  const Placement placement{{0}, {0}, {0}, {1}};
  const PlacedCut cut = OrThrow(CutForPlacement(test::LayerChain({10, 10, 10, 10}), placement, 1));
  EXPECT_EQ(cut.partition.begin, (std::vector<std::int32_t>{0, 3, 4}));
  EXPECT_EQ(cut.load.busiest_rank, 10);
  EXPECT_EQ(cut.bound, 10);
}

// 12 in 12 layers on 3 ranks, of which one is half as fast, so that 2.5 ranks share them: 4.8 each
// would be even. 5 and 5 layers at speed 1 leave 2, which take 4; 4 and 5 leave 3, which take 6.
TEST(CutForPlacement, GivesASlowRankLessToDo) {
  const PlacedCut cut = OrThrow(CutForPlacement(test::LayerChain(Times(12, 1)),
                                                StraightPlacement(3), 1, {.speed = {1, 0.5}}));
  EXPECT_EQ(cut.partition.begin, (std::vector<std::int32_t>{0, 5, 7, 12}));
  EXPECT_EQ(cut.load.busiest_rank, 5);
  EXPECT_EQ(cut.load.slowest_stage, 5);
  EXPECT_DOUBLE_EQ(cut.bound, 4.8);
}

// The backward of the first layer is long, but an evaluation has none: 3 forwards on either side.
TEST(CutForPlacement, CountsNoBackwardOfAnEvaluation) {
  Profile profile = test::LayerChain({6, 6, 6, 6, 6, 6});
  profile.layers[0].at[0].backward = Nanoseconds{100};
  EXPECT_EQ(OrThrow(CutForPlacement(profile, StraightPlacement(2), 1)).partition.begin,
            (std::vector<std::int32_t>{0, 1, 6}));
  const CutGoal goal{.passes = Passes::kForward, .speed = {}};
  const PlacedCut cut = OrThrow(CutForPlacement(profile, StraightPlacement(2), 1, goal));
  EXPECT_EQ(cut.partition.begin, (std::vector<std::int32_t>{0, 3, 6}));
  EXPECT_EQ(cut.load.busiest_rank, 6);
  EXPECT_EQ(LoadOf(profile, cut.partition, StraightPlacement(2), 1, goal).value->slowest_stage, 6);
}

// 400 layers on 16 ranks with 4 stages each are too many to try all cuts: what is found is never
// worse than the even cut, and the bound says how far it may be from the best.
TEST(CutForPlacement, ImprovesTheEvenCutWhereTryingAllTakesTooLong) {
  std::mt19937_64 random(5);
  Times times(400);
  for (std::int64_t& time : times) {
    time = static_cast<std::int64_t>(1'000'000 + random() % 9'000'000);
  }

  const Profile profile = test::LayerChain(times);
  const Placement placement = LoopPlacement(16, 4);
  const PlacedCut cut = OrThrow(CutForPlacement(profile, placement, 1));
  const CutLoad even =
      *LoadOf(profile, OrThrow(BalancedPartition(profile, 64, 1)), placement, 1).value;

  EXPECT_LT(cut.load.busiest_rank, even.busiest_rank);
  EXPECT_LT(cut.load.busiest_rank, 1.03 * cut.bound);
  EXPECT_FALSE(cut.is_proved);

  // The same arguments give the same cut.
  EXPECT_EQ(OrThrow(CutForPlacement(profile, placement, 1)).partition, cut.partition);
}

TEST(CutForPlacement, KeepsReadyStages) {
  Profile profile = test::LayerChain({90, 1, 1, 1});
  profile.is_stages = true;
  const PlacedCut cut = OrThrow(CutForPlacement(profile, VPlacement(2), 1));
  EXPECT_EQ(cut.partition.begin, (std::vector<std::int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(cut.load.busiest_rank, 91);
}

TEST(CutForPlacement, RefusesMoreStagesThanLayers) {
  EXPECT_EQ(CutForPlacement(test::LayerChain({1, 1}), VPlacement(2), 1).diagnostics.at(0).message,
            "the profile has 2 layers: expected at most as many stages, got 4");
  EXPECT_FALSE(CutForPlacement(test::LayerChain({1, 1, 1, 1}), VPlacement(2), -1));
}

}  // namespace
}  // namespace stagecraft
