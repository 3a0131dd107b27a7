#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::ProgramText;

TEST(ZeroBubbleH2, WarmsUpForTheWholeRoundTrip) {
  const Schedule schedule = Make("zb-h2", {.ranks = 3, .microbatches = 6});
  EXPECT_EQ(ProgramText(schedule, 1),
            "1F0@0 1F1@0 1F2@0 1I0@0 1F3@0 1I1@0 1F4@0 1I2@0 1W0@0 1F5@0 1I3@0 1W1@0 1I4@0 1W2@0 "
            "1I5@0 1W3@0 1W4@0 1W5@0 1S@0");
}

TEST(ZeroBubbleH2, HoldsNearlyTwiceTheRanks) {
  for (std::int32_t p = 1; p <= 5; ++p) {
    for (std::int32_t m = 1; m <= 12; ++m) {
      const std::vector<std::int32_t> all(static_cast<std::size_t>(p), std::min(2 * p - 1, m));
      EXPECT_EQ(PeakActivationSets(Make("zb-h2", {.ranks = p, .microbatches = m})), all);
    }
  }
}

}  // namespace
}  // namespace stagecraft
