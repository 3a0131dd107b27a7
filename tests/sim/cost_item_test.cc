#include "sim/cost_item.h"

#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

using What = CostItem::What;

TEST(CostItem, HasAName) {
  EXPECT_EQ(ToString(CostItem{What::kOp, OpKind::kBackwardInput, 3}), "I of stage 3");
  EXPECT_EQ(ToString(CostItem{What::kOp, OpKind::kSendForward, 1}), "SEND_F of stage 1");
  EXPECT_EQ(ToString(CostItem{.what = What::kCell, .index = 2}), "cell of stage 2");
  EXPECT_EQ(ToString(CostItem{.what = What::kLatency}), "latency");
  EXPECT_EQ(ToString(CostItem{.what = What::kBandwidth}), "bandwidth");
  EXPECT_EQ(ToString(CostItem{.what = What::kSpeed, .index = 5}), "speed of rank 5");
}

TEST(CostItem, SeveralAreNamedByRanges) {
  const auto speeds = [](const std::vector<std::int32_t>& ranks) {
    std::vector<CostItem> items;
    for (const std::int32_t rank : ranks) {
      items.push_back({.what = What::kSpeed, .index = rank});
    }
    return ToString(items);
  };
  EXPECT_EQ(speeds({0, 1, 2}), "speed of ranks 0 to 2");
  EXPECT_EQ(speeds({0, 1, 3}), "speed of ranks 0, 1, 3");
  EXPECT_EQ(speeds({1, 4, 5, 6, 9, 10}), "speed of ranks 1, 4 to 6, 9, 10");
}

}  // namespace
}  // namespace stagecraft
