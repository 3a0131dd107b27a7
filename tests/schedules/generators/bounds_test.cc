#include "schedules/generators/bounds.h"

#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

using Counts = std::vector<std::int32_t>;

TEST(FlushedBounds, AreOneCopyAndNoStaleness) {
  const Bounds bounds = FlushedBounds(3, {7, 8});
  EXPECT_EQ(bounds.weight_copies, (Counts{1, 1, 1}));
  EXPECT_EQ(bounds.staleness, (Counts{0, 0, 0}));
  EXPECT_EQ(bounds.activation_sets, (Counts{7, 8}));
  EXPECT_TRUE(bounds.nominal_staleness.empty());
}

TEST(FlushedBounds, HoldOneSetMoreThanForwardsAhead) {
  EXPECT_EQ(FlushedBounds(Counts{3, 2, 1, 0}, 8).activation_sets, (Counts{4, 3, 2, 1}));
  EXPECT_EQ(FlushedBounds(Counts{3, 2, 1, 0}, 2).activation_sets, (Counts{2, 2, 2, 1}));
}

}  // namespace
}  // namespace stagecraft
