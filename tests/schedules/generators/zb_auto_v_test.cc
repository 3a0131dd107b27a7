#include <cstdint>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Texts;

TEST(ZeroBubbleAutoV, IsAValidScheduleOnAV) {
  for (std::int32_t p = 1; p <= 4; ++p) {
    for (std::int32_t m = 1; m <= 6; ++m) {
      const Schedule schedule = Make("zb-auto-v", {.ranks = p, .microbatches = m, .batches = 2});
      EXPECT_EQ(Texts(Verify(schedule)), "");
      EXPECT_EQ(schedule.placement, VPlacement(p));
    }
  }
}

}  // namespace
}  // namespace stagecraft
