#include "traces/costs.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(SizesOf, GivesTheSizesOfEveryStageInOrder) {
  Costs costs;
  costs.stages.resize(2);
  costs.stages[0].sizes.output_bytes = 7;
  costs.stages[1].sizes.parameter_bytes = 9;
  const std::vector<StageSizes> sizes = SizesOf(costs);
  ASSERT_EQ(sizes.size(), 2U);
  EXPECT_EQ(sizes[0].output_bytes, 7);
  EXPECT_EQ(sizes[1].output_bytes, 0);
  EXPECT_EQ(sizes[1].parameter_bytes, 9);
}

}  // namespace
}  // namespace stagecraft
