#include "traces/partition.h"

#include <algorithm>
#include <iostream>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "tests/support/mutate.h"

namespace stagecraft {
namespace {

using Times = std::vector<std::int64_t>;

/// A chain of layers whose forward + backward take `times`.
Profile Chain(const Times& times) {
  Profile profile;
  profile.microbatch_sizes = {1};
  for (const std::int64_t time : times) {
    ProfileLayer& layer = profile.layers.emplace_back();
    layer.at.resize(1);
    layer.at[0].forward = Nanoseconds{time / 3};
    layer.at[0].backward = Nanoseconds{time - time / 3};
  }
  return profile;
}

std::vector<std::int32_t> Cuts(const Times& times, std::int32_t stages) {
  return OrThrow(BalancedPartition(Chain(times), stages, 1)).begin;
}

std::int64_t Slowest(const Times& times, const std::vector<std::int32_t>& begin) {
  std::int64_t slowest = 0;
  for (std::size_t stage = 0; stage + 1 < begin.size(); ++stage) {
    std::int64_t time = 0;
    for (std::int32_t layer = begin[stage]; layer < begin[stage + 1]; ++layer) {
      time += times[static_cast<std::size_t>(layer)];
    }
    slowest = std::max(slowest, time);
  }
  return slowest;
}

/// The textbook dynamic program: best[k][n] = min over j of max(best[k-1][j], time of [j, n)).
std::int64_t LeastSlowest(const Times& times, std::int32_t stages) {
  const std::size_t layers = times.size();
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  Times best(layers + 1, kNever);
  best[0] = 0;
  for (std::int32_t stage = 0; stage < stages; ++stage) {
    Times next(layers + 1, kNever);
    for (std::size_t end = 1; end <= layers; ++end) {
      std::int64_t time = 0;
      for (std::size_t begin = end; begin-- > 0;) {
        time += times[begin];
        next[end] = std::min(next[end], std::max(best[begin], time));
      }
    }
    best = next;
  }
  return best[layers];
}

TEST(BalancedPartition, EqualsTheDynamicProgramOnRandomChains) {
  std::mt19937_64 random(test::SeedFromEnvironment(7));
  int checked = 0;
  for (int round = 0; round < 2000; ++round) {
    Times times(1 + random() % 14);
    for (std::int64_t& time : times) {
      time = static_cast<std::int64_t>(random() % 3 == 0 ? 0 : random() % 20);
    }
    for (std::int32_t stages = 1; stages <= static_cast<std::int32_t>(times.size()); ++stages) {
      const std::vector<std::int32_t> begin = Cuts(times, stages);
      ASSERT_EQ(begin.size(), static_cast<std::size_t>(stages) + 1);
      ASSERT_EQ(begin.front(), 0);
      ASSERT_EQ(begin.back(), static_cast<std::int32_t>(times.size()));
      ASSERT_TRUE(std::is_sorted(begin.begin(), begin.end(), std::less_equal<>()));
      ASSERT_EQ(Slowest(times, begin), LeastSlowest(times, stages));
      ++checked;
    }
  }
  std::cout << checked << " partitions equal the dynamic program\n";
}

// 60 of 120 in the first layer: no cut can be better, so T = 60. Of the rest, 10 10 10 10 10 10 in
// two stages, 30 and 30 is most even, though 10 and 50 would also stay within T.
TEST(BalancedPartition, SharesOutEvenlyBehindTheSlowestStage) {
  EXPECT_EQ(Cuts({60, 10, 10, 10, 10, 10, 10}, 3), (std::vector<std::int32_t>{0, 1, 4, 7}));
}

// 45 in three stages: an even share of 15 lies as near to the cut at 11 as to the one at 19. The
// earlier would be taken, but then 8 13 13 would need 21 for two stages, more than T = 19.
TEST(BalancedPartition, LeavesEnoughLayersAndTimeForTheStagesBehind) {
  EXPECT_EQ(Cuts({3, 8, 8, 13, 13}, 3), (std::vector<std::int32_t>{0, 3, 4, 5}));
  EXPECT_EQ(Cuts({0, 0, 0}, 3), (std::vector<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(Cuts({100, 1, 1}, 3), (std::vector<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(Cuts({1, 1, 100}, 3), (std::vector<std::int32_t>{0, 1, 2, 3}));
}

TEST(BalancedPartition, UsesTheTimesOfTheMicrobatchSizeThatIsWanted) {
  Profile profile = Chain({10, 10, 10});
  profile.microbatch_sizes = {1, 2};
  for (ProfileLayer& layer : profile.layers) {
    layer.at.push_back(layer.at[0]);
  }
  profile.layers[0].at[1].forward = Nanoseconds{40};  // Slow at 2 samples only.
  profile.layers[2].at[0].forward = Nanoseconds{40};  // Slow at 1 sample only.
  EXPECT_EQ(OrThrow(BalancedPartition(profile, 2, 1)).begin, (std::vector<std::int32_t>{0, 2, 3}));
  EXPECT_EQ(OrThrow(BalancedPartition(profile, 2, 2)).begin, (std::vector<std::int32_t>{0, 1, 3}));
}

TEST(BalancedPartition, KeepsReadyStages) {
  Profile profile = Chain({90, 1, 1});
  profile.is_stages = true;
  EXPECT_EQ(OrThrow(BalancedPartition(profile, 3, 1)).begin,
            (std::vector<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(BalancedPartition(profile, 2, 1).diagnostics.at(0).message,
            "the profile holds 3 ready stages, which are not cut: expected 3 stages, got 2");
}

TEST(BalancedPartition, SaysWhatIsWrongWithItsArguments) {
  EXPECT_EQ(BalancedPartition(Chain({1, 1}), 3, 1).diagnostics.at(0).message,
            "the profile has 2 layers: expected at most as many stages, got 3");
  EXPECT_EQ(BalancedPartition(Chain({1, 1}), 0, 1).diagnostics.at(0).message,
            "expected at least 1 stage, got 0");
  EXPECT_EQ(BalancedPartition(Chain({1, 1}), 0, -1).diagnostics.size(), 2U);
}

// 100,000 layers of the longest time, scaled far beyond the limits: sums must not overflow.
TEST(BalancedPartition, StandsTheLargestProfile) {
  const Times times(static_cast<std::size_t>(kMaxLayers), Nanoseconds{kMaxDuration}.count());
  const Partition partition = OrThrow(BalancedPartition(Chain(times), 1000, 1e9));
  for (std::size_t stage = 0; stage < 1000; ++stage) {
    ASSERT_EQ(partition.begin[stage + 1] - partition.begin[stage], 100);
  }
}

}  // namespace
}  // namespace stagecraft
