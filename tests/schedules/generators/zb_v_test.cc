#include <cstdint>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::MostSets;
using test::ProgramText;

TEST(ZeroBubbleV, IsTheAuthorsOrder) {
  EXPECT_EQ(ProgramText(Make("zb-v", {.ranks = 2, .microbatches = 4}), 1),
            "1F0@0 2F0@0 1F1@0 2F1@0 2I0@0 2W0@0 1F2@0 1I0@0 1W0@0 2F2@0 2I1@0 2W1@0 1F3@0 1I1@0 "
            "1W1@0 2F3@0 2I2@0 2W2@0 1I2@0 2I3@0 1I3@0 1W2@0 2W3@0 1W3@0 1S@0 2S@0");
}

TEST(ZeroBubbleV, HoldsTwiceTheRanksInChunks) {
  for (std::int32_t p = 1; p <= 5; ++p) {
    const Schedule schedule = Make("zb-v", {.ranks = p, .microbatches = 3 * p});
    for (std::int32_t rank = 0; rank < p; ++rank) {
      EXPECT_EQ(MostSets(schedule, rank), 2 * p) << p << " " << rank;
    }
  }
}

TEST(ZeroBubbleV, OfFewMicrobatchesLacksTheOthers) {
  EXPECT_EQ(ProgramText(Make("zb-v", {.ranks = 2, .microbatches = 1}), 0),
            "0F0@0 3F0@0 3I0@0 3W0@0 0I0@0 0W0@0 0S@0 3S@0");
}

}  // namespace
}  // namespace stagecraft
