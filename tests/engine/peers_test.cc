#include "engine/peers.h"

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

}  // namespace
}  // namespace stagecraft
