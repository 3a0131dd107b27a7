#include "traces/partition.h"

#include <algorithm>
#include <iostream>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "tests/support/layer_chain.h"
#include "tests/support/mutate.h"

namespace stagecraft {
namespace {

using Times = std::vector<std::int64_t>;

std::vector<std::int32_t> Cuts(const Times& times, std::int32_t stages) {
  return OrThrow(BalancedPartition(test::LayerChain(times), stages, 1)).begin;
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

  // Many layers take no time, so that ties are frequent.
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

/// Least max(time of stage i / replicas[i]) over all cuts, by the same dynamic program.
double LeastShare(const Times& times, const std::vector<std::int32_t>& replicas) {
  std::vector<double> best(times.size() + 1, 1e300);
  best[0] = 0;

  for (const std::int32_t count : replicas) {
    std::vector<double> next(times.size() + 1, 1e300);
    for (std::size_t end = 1; end <= times.size(); ++end) {
      double time = 0;
      for (std::size_t begin = end; begin-- > 0;) {
        time += static_cast<double>(times[begin]);
        next[end] = std::min(next[end], std::max(best[begin], time / count));
      }
    }
    best = next;
  }

  return best[times.size()];
}

TEST(BalancedPartition, SharesAStageOutOverItsReplicas) {
  std::mt19937_64 random(test::SeedFromEnvironment(8));
  for (int round = 0; round < 4000; ++round) {
    Times times(1 + random() % 10);
    for (std::int64_t& time : times) {
      time = static_cast<std::int64_t>(random() % 3 == 0 ? 0 : random() % 2000);
    }

    std::vector<std::int32_t> replicas(1 + random() % times.size());
    for (std::int32_t& count : replicas) {
      count = static_cast<std::int32_t>(1 + random() % 5);
    }

    const std::vector<std::int32_t> begin =
        OrThrow(BalancedPartition(test::LayerChain(times),
                                  std::vector<double>(replicas.begin(), replicas.end()), 1))
            .begin;
    double share = 0;
    for (std::size_t stage = 0; stage < replicas.size(); ++stage) {
      share =
          std::max(share, static_cast<double>(Slowest(times, {begin[stage], begin[stage + 1]})) /
                              replicas[stage]);
    }

    // To the nanosecond: the limit that is searched for is a whole number.
    ASSERT_LT(share, LeastShare(times, replicas) + 1);
    ASSERT_TRUE(std::is_sorted(begin.begin(), begin.end(), std::less_equal<>()));
  }
}

// 10 and 80 on 4 replicas take 22.5 each, which is the least there is. The last stage could take 11
// and 12 within that, but then the one in the middle would have to take the 80.
TEST(BalancedPartition, DoesNotFillAStageUpToALayerThatTheNextOneCannotTake) {
  const std::vector<double> replicas{4, 1, 1};
  EXPECT_EQ(OrThrow(BalancedPartition(test::LayerChain({10, 80, 11, 12}), replicas, 1)).begin,
            (std::vector<std::int32_t>{0, 2, 3, 4}));
}

TEST(PartitionAt, SaysThatOneLayerCannotBeCut) {
  EXPECT_EQ(PartitionAt(test::LayerChain({1}), std::vector<std::int32_t>{1}).diagnostics[0].message,
            "the profile has one layer, which cannot be cut");
  EXPECT_EQ(OrThrow(PartitionAt(test::LayerChain({1}), {})).begin,
            (std::vector<std::int32_t>{0, 1}));
}

TEST(PartitionAt, CutsWhereItIsTold) {
  EXPECT_EQ(
      OrThrow(PartitionAt(test::LayerChain({1, 1, 1, 1}), std::vector<std::int32_t>{1, 3})).begin,
      (std::vector<std::int32_t>{0, 1, 3, 4}));
  EXPECT_EQ(OrThrow(PartitionAt(test::LayerChain({1, 1}), {})).begin,
            (std::vector<std::int32_t>{0, 2}));
  for (const std::vector<std::int32_t>& bad :
       {std::vector<std::int32_t>{0}, {4}, {2, 2}, {3, 1}, {-1}}) {
    EXPECT_EQ(PartitionAt(test::LayerChain({1, 1, 1, 1}), bad).diagnostics.size(), 1U);
  }
  EXPECT_EQ(PartitionAt(test::LayerChain({1, 1, 1, 1}), std::vector<std::int32_t>{3, 1})
                .diagnostics[0]
                .message,
            "expected the first layer of each further stage, ascending, from 1 to 3, got 3,1");
}

TEST(BalancedPartition, UsesTheTimesOfTheMicrobatchSizeThatIsWanted) {
  Profile profile = test::LayerChain({10, 10, 10});
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
  Profile profile = test::LayerChain({90, 1, 1});
  profile.is_stages = true;
  EXPECT_EQ(OrThrow(BalancedPartition(profile, 3, 1)).begin,
            (std::vector<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(BalancedPartition(profile, 2, 1).diagnostics.at(0).message,
            "the profile holds 3 ready stages, which are not cut: expected 3 stages, got 2");
}

TEST(BalancedPartition, SaysWhatIsWrongWithItsArguments) {
  EXPECT_EQ(BalancedPartition(test::LayerChain({1, 1}), 3, 1).diagnostics.at(0).message,
            "the profile has 2 layers: expected at most as many stages, got 3");
  EXPECT_EQ(BalancedPartition(test::LayerChain({1, 1}), 0, 1).diagnostics.at(0).message,
            "expected at least 1 stage, got 0");
  EXPECT_EQ(BalancedPartition(test::LayerChain({1, 1}), 0, -1).diagnostics.size(), 2U);
}

// 100,000 layers of the longest time, scaled far beyond the limits: sums must not overflow.
TEST(BalancedPartition, StandsTheLargestProfile) {
  const Times times(static_cast<std::size_t>(kMaxLayers), Nanoseconds{kMaxDuration}.count());
  const Partition partition = OrThrow(BalancedPartition(test::LayerChain(times), 1000, 1e9));
  for (std::size_t stage = 0; stage < 1000; ++stage) {
    ASSERT_EQ(partition.begin[stage + 1] - partition.begin[stage], 100);
  }
}

}  // namespace
}  // namespace stagecraft
