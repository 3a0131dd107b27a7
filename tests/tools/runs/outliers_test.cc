#include "tools/runs/outliers.h"

#include <chrono>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using std::chrono::microseconds;

TEST(DescribeOutliers, SaysByHowMuchTheyRaiseTheMean) {
  // Nine of 500 us and one of 5.5 ms: the mean is (4.5 + 5.5) / 10 = 1 ms, twice that of the nine.
  std::vector<Nanoseconds> durations(10, microseconds(500));
  durations[3] = microseconds(5500);
  EXPECT_EQ(DescribeOutliers(durations),
            "1 of 10 took more than twice the median, up to 5.5 ms: the mean, 1 ms, is 100 % above "
            "the 500 us without");
}

TEST(DescribeOutliers, IsSilentIfTheMeanHardlyShowsThem) {
  EXPECT_EQ(DescribeOutliers({}), "");
  EXPECT_EQ(DescribeOutliers({microseconds(1)}), "");
  EXPECT_EQ(DescribeOutliers(std::vector<Nanoseconds>(10, Nanoseconds(0))), "");
  // Twice the median is none.
  EXPECT_EQ(DescribeOutliers({microseconds(1), microseconds(1), microseconds(2)}), "");
  // 99 of 100 us and one of 400 us: the mean is 103 us.
  std::vector<Nanoseconds> durations(99, microseconds(100));
  durations.push_back(microseconds(400));
  EXPECT_EQ(DescribeOutliers(durations), "");
  durations.push_back(microseconds(400));  // 10.7 ms / 101 = 105.9 us.
  EXPECT_NE(DescribeOutliers(durations), "");
}

TEST(FindOutliers, NamesUnitAndKindWithinTheRange) {
  const Schedule schedule = test::Make("gpipe", {.ranks = 1, .microbatches = 8});
  Timeline timeline;
  timeline.spans.assign(schedule.programs[0].size(), {Nanoseconds(0), microseconds(500)});
  for (const std::size_t op : {0U, 5U}) {  // The forwards of micro-batches 0 and 5.
    ASSERT_EQ(ToString(schedule.programs[0][op]), op == 0 ? "0F0@0" : "0F5@0");
    timeline.spans[op].end = microseconds(3500);
  }
  // In micro-batches 4 to 7 one is seven times as long: a mean of (3 * 0.5 + 3.5) / 4 = 1.25 ms.
  const std::vector<std::string> found = FindOutliers(schedule, timeline, {4, 8});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0],
            "unit 0, forward: 1 of 4 took more than twice the median, up to 3.5 ms: the mean, 1.25 "
            "ms, is 150 % above the 500 us without");
}

}  // namespace
}  // namespace stagecraft
