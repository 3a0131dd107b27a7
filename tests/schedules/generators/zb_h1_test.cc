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

TEST(ZeroBubbleH1, LetsAsManyWeightPassesWaitAsThereAreRanksBefore) {
  const Schedule schedule = Make("zb-h1", {.ranks = 3, .microbatches = 5});
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0F1@0 0F2@0 0I0@0 0W0@0 0F3@0 0I1@0 0W1@0 0F4@0 0I2@0 0W2@0 0I3@0 0W3@0 0I4@0 "
            "0W4@0 0S@0");
  EXPECT_EQ(ProgramText(schedule, 1),
            "1F0@0 1F1@0 1I0@0 1F2@0 1I1@0 1W0@0 1F3@0 1I2@0 1W1@0 1F4@0 1I3@0 1W2@0 1I4@0 1W3@0 "
            "1W4@0 1S@0");
  EXPECT_EQ(ProgramText(schedule, 2),
            "2F0@0 2I0@0 2F1@0 2I1@0 2F2@0 2I2@0 2W0@0 2F3@0 2I3@0 2W1@0 2F4@0 2I4@0 2W2@0 2W3@0 "
            "2W4@0 2S@0");
}

TEST(ZeroBubbleH1, HoldsAsMuchAsOneFOneBsFirstRank) {
  for (std::int32_t p = 1; p <= 5; ++p) {
    for (std::int32_t m = 1; m <= 8; ++m) {
      const std::vector<std::int32_t> all(static_cast<std::size_t>(p), std::min(p, m));
      EXPECT_EQ(PeakActivationSets(Make("zb-h1", {.ranks = p, .microbatches = m})), all);
    }
  }
}

}  // namespace
}  // namespace stagecraft
