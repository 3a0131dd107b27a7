#include "traces/timeline_difference.h"

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

Timeline TimelineOf(std::initializer_list<Span> spans) {
  Timeline timeline;
  timeline.spans = spans;
  return timeline;
}

Span At(std::int64_t start, std::int64_t end) {
  return {Nanoseconds(start), Nanoseconds(end)};
}

TEST(Difference, ComparesOpByOp) {
  const Schedule schedule = test::Programs(
      1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0", "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0"});
  const Timeline predicted = TimelineOf({At(0, 10), At(10, 10), At(10, 10), At(40, 60), At(60, 65),
                                         At(0, 0), At(10, 20), At(20, 40), At(40, 40), At(40, 45)});
  const Timeline measured = TimelineOf({At(1, 12), At(12, 12), At(12, 12), At(46, 66), At(66, 72),
                                        At(0, 0), At(13, 23), At(23, 44), At(44, 44), At(44, 49)});

  const TimelineDifference difference = Difference(schedule, predicted, measured);
  EXPECT_EQ(difference.predicted, Nanoseconds(65));
  EXPECT_EQ(difference.measured, Nanoseconds(72));
  EXPECT_NEAR(difference.Error(), 72.0 / 65 - 1, 1e-12);

  ASSERT_EQ(difference.ranks.size(), 2U);
  EXPECT_EQ(difference.ranks[0].predicted_busy, Nanoseconds(35));
  EXPECT_EQ(difference.ranks[0].measured_busy, Nanoseconds(37));
  EXPECT_EQ(difference.ranks[1].measured_end, Nanoseconds(49));

  EXPECT_EQ(ToString(schedule.At(difference.worst)), "0B0@0");
  EXPECT_EQ(difference.worst_late, Nanoseconds(6));
  ASSERT_EQ(difference.kinds.size(), 6U);  // F, B and S of both stages.
  EXPECT_EQ(difference.kinds[2].kind, OpKind::kBackward);
  EXPECT_EQ(difference.kinds[3].stage, 1);
  EXPECT_EQ(difference.kinds[3].measured, Nanoseconds(21));
}

TEST(Difference, CountsACellOnce) {
  const Schedule schedule = test::Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0"});
  const Timeline timeline = TimelineOf({At(0, 1), At(1, 4), At(1, 4), At(4, 6), At(6, 6)});
  const TimelineDifference difference = Difference(schedule, timeline, timeline);
  EXPECT_EQ(difference.ranks[0].predicted_busy, Nanoseconds(6));
  EXPECT_EQ(difference.worst, kNoOp);
  EXPECT_EQ(difference.Error(), 0);
}

TEST(Difference, OfNothingIsNothing) {
  Schedule schedule = test::ForwardPrograms(1, {"0: 0F0@0"});
  const Timeline timeline = TimelineOf({At(0, 0)});
  EXPECT_EQ(Difference(schedule, timeline, timeline).Error(), 0);
}

}  // namespace
}  // namespace stagecraft
