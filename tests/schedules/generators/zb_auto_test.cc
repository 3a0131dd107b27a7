#include <cstdint>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Texts;

TEST(ZeroBubbleAuto, IsAValidSchedule) {
  for (std::int32_t p = 1; p <= 4; ++p) {
    for (std::int32_t m = 1; m <= 6; ++m) {
      EXPECT_EQ(Texts(Verify(Make("zb-auto", {.ranks = p, .microbatches = m, .batches = 2}))), "");
    }
  }
}

TEST(ZeroBubbleAuto, ThinksOfTheCostsThatItIsGiven) {
  GeneratorOptions options{.ranks = 3, .microbatches = 6};
  options.limit = ActivationLimit{2, ActivationLimit::Unit::kTimesRanks};
  const Schedule equal = Make("zb-auto", options);
  options.estimates = {{1, 9, 4, 2, 1, 0}, {5, 1, 1, 0, 1, 0}, {2, 2, 7, 1, 1, 0}};
  EXPECT_NE(Make("zb-auto", options), equal);
}

}  // namespace
}  // namespace stagecraft
