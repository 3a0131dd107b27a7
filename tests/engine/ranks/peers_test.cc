#include "engine/ranks/peers.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using Pairs = std::set<std::pair<std::int32_t, std::int32_t>>;

TEST(PairsThatTalk, AreNeighboursAndReplicas) {
  EXPECT_EQ(
      PairsThatTalk(PlanExecution(Lower(test::Make("1f1b", {.ranks = 4, .microbatches = 4})))),
      (Pairs{{0, 1}, {1, 2}, {2, 3}}));
  EXPECT_EQ(PairsThatTalk(PlanExecution(Lower(
                test::Make("pipedream", {.ranks = 4, .microbatches = 6, .replicas = {3, 1}})))),
            (Pairs{{0, 1}, {0, 2}, {0, 3}, {1, 3}, {2, 3}}));
}

using Groups = std::vector<std::vector<std::int32_t>>;

TEST(MeetingRounds, OfAChainAreThoseOfTheEvenPairsAndThenOfTheOdd) {
  EXPECT_EQ(MeetingRounds({{0, 1}, {1, 0}, {1, 2}, {2, 1}, {2, 3}, {3, 2}, {3, 4}, {4, 3}}),
            (std::vector<std::int32_t>{0, 1, 2, 3, 0, 1, 2, 3}));
}

TEST(MeetingRounds, OfGroupsThatShareNobodyAreTheSame) {
  EXPECT_EQ(MeetingRounds({{0, 1, 2}, {3, 4}, {2, 3}, {5}}),
            (std::vector<std::int32_t>{0, 0, 1, 0}));
  EXPECT_TRUE(MeetingRounds({}).empty());
}

/// Directed edges of all generators on 32 ranks: nobody waits for more than a few rounds, where
/// along the chain the last rank would wait for 60.
TEST(MeetingRounds, AreFewHoweverLongThePipeline) {
  for (const char* const name : {"1f1b", "interleaved-1f1b", "chimera", "zb-v"}) {
    const ExecutionPlan plan = PlanExecution(
        Lower(test::MakeNear(*FindGenerator(name), {.ranks = 32, .microbatches = 64})));
    Groups groups;
    for (const auto& [from, to] : DirectedPairs(plan)) {
      groups.push_back({from, to});
    }
    const std::vector<std::int32_t> rounds = MeetingRounds(groups);
    ASSERT_FALSE(rounds.empty()) << name;
    // A rank is in at most 4 edges here, those to and from either side: each group may find the
    // rounds of 3 others of each of its two ranks taken.
    EXPECT_LE(*std::max_element(rounds.begin(), rounds.end()), 6) << name;

    // In no round a rank is in two groups.
    std::set<std::pair<std::int32_t, std::int32_t>> taken;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      for (const std::int32_t rank : groups[i]) {
        EXPECT_TRUE(taken.emplace(rounds[i], rank).second) << name << ", rank " << rank;
      }
    }
  }
}

}  // namespace
}  // namespace stagecraft
