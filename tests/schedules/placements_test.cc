#include "schedules/placements.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

using Ranks = Table<Table<std::int32_t>>;

TEST(Placements, AreWhereTheirNamesSay) {
  EXPECT_EQ(StraightPlacement(3), (Ranks{{0}, {1}, {2}}));
  EXPECT_EQ(LoopPlacement(2, 3), (Ranks{{0, 2, 4}, {1, 3, 5}}));
  EXPECT_EQ(VPlacement(2), (Ranks{{0, 3}, {1, 2}}));
  EXPECT_EQ(ZigzagPlacement(2, 4), (Ranks{{0, 3, 4, 7}, {1, 2, 5, 6}}));
  EXPECT_EQ(BidirectionalPlacement(4), (Ranks{{0, 3}, {1, 2}, {2, 1}, {3, 0}}));
}

}  // namespace
}  // namespace stagecraft
