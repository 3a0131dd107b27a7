#include <cstddef>

#include <gtest/gtest.h>

#include "sim/replay.h"
#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

TEST(Compile, ListsEveryStepAfterAllThatItWaitsFor) {
  for (const SendMode send : {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking}) {
    const Schedule lowered = Lower(test::Make("pipeoptim", {.ranks = 4, .microbatches = 8}));
    const auto compiled = Compile(lowered, FindDependencies(lowered), send);
    ASSERT_TRUE(compiled);
    EXPECT_EQ(compiled->send, send);
    EXPECT_EQ(compiled->ranks, 4);
    EXPECT_EQ(compiled->lanes, 4 + 6);  // Neighbours talk both ways.
    for (std::size_t i = 1; i < compiled->instructions.size(); ++i) {
      EXPECT_LT(compiled->instructions[i].first, i);
      EXPECT_LT(compiled->instructions[i].second, i);
    }
  }
}

TEST(Compile, GivesNothingWhereOpsWaitForEachOther) {
  const Schedule lowered = Lower(test::Make("1f1b", {.ranks = 4, .microbatches = 8}),
                                 {ReceivePolicy::Kind::kJustInTime, 0});
  EXPECT_FALSE(Compile(lowered, FindDependencies(lowered), SendMode::kBlocking));
}

}  // namespace
}  // namespace stagecraft
