#include <algorithm>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "schedules/diagram.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::ProgramText;

TEST(GPipe, RunsAllForwardsThenAllBackwardsThenFlushes) {
  const Schedule schedule = Make("gpipe", {.ranks = 2, .microbatches = 3, .batches = 2});
  EXPECT_EQ(ProgramText(schedule, 0),
            "0F0@0 0F1@0 0F2@0 0B0@0 0B1@0 0B2@0 0S@0 0F3@1 0F4@1 0F5@1 0B3@1 0B4@1 0B5@1 0S@1");
  EXPECT_EQ(ProgramText(schedule, 1),
            "1F0@0 1F1@0 1F2@0 1B0@0 1B1@0 1B2@0 1S@0 1F3@1 1F4@1 1F5@1 1B3@1 1B4@1 1B5@1 1S@1");
}

TEST(GPipe, RecomputesWhatItDidNotKeep) {
  EXPECT_EQ(ProgramText(
                Make("gpipe", {.ranks = 1, .microbatches = 2, .checkpoint = Checkpoint::kAll}), 0),
            "0F0@0 0F1@0 0R0@0 0B0@0 0R1@0 0B1@0 0S@0");
  EXPECT_EQ(
      ProgramText(
          Make("gpipe", {.ranks = 1, .microbatches = 2, .checkpoint = Checkpoint::kExceptLast}), 0),
      "0F0@0 0F1@0 0R0@0 0B0@0 0B1@0 0S@0");
}

/// Idle columns of the first rank, and all columns, in a picture whose labels are 2 wide.
std::pair<std::size_t, std::size_t> IdleColumns(const Schedule& schedule) {
  const std::string picture = RenderSchedule(schedule);
  const std::string row = picture.substr(9, picture.find('\n') - 9);  // Behind `rank 0 | `.
  return {static_cast<std::size_t>(std::count(row.begin(), row.end(), '.')), (row.size() + 1) / 3};
}

TEST(GPipe, BubbleIsTheClosedFormAlsoOfOneFOneB) {
  // Idle / total = (p - 1) / (m + p - 1); in columns of a third of a micro-batch 3 (p - 1) of
  // 3 (m + p - 1), with F = 1 and B = 2.
  for (const char* name : {"gpipe", "1f1b"}) {
    for (std::int32_t p = 1; p <= 5; ++p) {
      for (std::int32_t m = 1; m <= 10; ++m) {
        const auto [idle, all] = IdleColumns(Make(name, {.ranks = p, .microbatches = m}));
        EXPECT_EQ(idle, static_cast<std::size_t>(3 * (p - 1))) << name << " " << p << " " << m;
        EXPECT_EQ(all, static_cast<std::size_t>(3 * (m + p - 1))) << name << " " << p << " " << m;
      }
    }
    const auto [idle, all] = IdleColumns(Make(name, {.ranks = 4, .microbatches = 8}));
    std::cout << name << " p = 4, m = 8: " << idle << " of " << all << " columns idle\n";
  }
}

}  // namespace
}  // namespace stagecraft
