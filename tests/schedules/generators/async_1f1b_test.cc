#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Reads;

TEST(AsyncOneFOneB, ForwardAndBackwardReadTheNewest) {
  const Schedule schedule = Make("async-1f1b", {.ranks = 4, .microbatches = 8});
  EXPECT_EQ(Reads(schedule, 0, OpKind::kForward), "0 0 0 0 1 2 3 4");
  EXPECT_EQ(Reads(schedule, 3, OpKind::kForward), "0 1 2 3 4 5 6 7");
  for (const int stage : {0, 1, 2, 3}) {
    EXPECT_EQ(Reads(schedule, stage, OpKind::kBackward), "0 1 2 3 4 5 6 7");
  }
}

TEST(AsyncOneFOneB, UpdatesOfTwoHalveTheVersions) {
  const Schedule schedule = Make("async-1f1b", {.ranks = 2, .microbatches = 6, .update_every = 2});
  EXPECT_EQ(test::ProgramText(schedule, 0),
            "0F0@0 0F1@0 0B0@0 0F2@0 0B1@0 0S@0 0F3@1 0B2@1 0F4@1 0B3@1 0S@1 0F5@2 0B4@2 0B5@2 "
            "0S@2");
}

}  // namespace
}  // namespace stagecraft
