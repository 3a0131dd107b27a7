#include "traces/timeline.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(Makespan, IsTheEndOfTheLastOp) {
  Timeline timeline;
  timeline.spans = {{Nanoseconds{0}, Nanoseconds{30}}, {Nanoseconds{5}, Nanoseconds{20}}};
  EXPECT_EQ(Makespan(timeline), Nanoseconds{30});
}

TEST(Makespan, IsTheArrivalOfATransferThatNobodyWaitsFor) {
  Timeline timeline;
  timeline.spans = {{Nanoseconds{0}, Nanoseconds{30}}};
  timeline.transfers = {{{0, 1}, {1, 0}, Nanoseconds{30}, Nanoseconds{45}, 8}};
  EXPECT_EQ(Makespan(timeline), Nanoseconds{45});
}

TEST(Makespan, IsZeroOfNothing) {
  EXPECT_EQ(Makespan(Timeline{}), Nanoseconds{0});
}

}  // namespace
}  // namespace stagecraft
