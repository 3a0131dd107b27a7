#include "schedules/generators/dual_batch.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/schedule.h"

namespace stagecraft {
namespace {

TEST(DualBatch, TheFirstPairAtTheTurningPointIsNotOneCell) {
  const Program ops =
      DualBatch({.span = 1, .distance = 0, .steady = 2, .first = {0, 0, 3}, .second = {1, 0, 3}},
                Cells::kJoined);
  std::string text;
  for (const Op& op : ops) {
    text += op.joined ? "(" : "";
    text += ToString(op) + " ";
  }
  EXPECT_EQ(text,
            "0F0@0 1F0@0 0F1@0 1B0@0 (1F1@0 0B0@0 (0F2@0 1B1@0 (1F2@0 0B1@0 1B2@0 0I2@0 0W2@0 ");
}

}  // namespace
}  // namespace stagecraft
