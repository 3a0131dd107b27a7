#include "schedules/diagram.h"

#include <string>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Programs;

TEST(RenderGrid, DrawsBlocksAndIdleColumns) {
  EXPECT_EQ(
      RenderGrid(
          {{0, 0, 1, "F0"}, {0, 1, 2, "F1"}, {0, 4, 6, "B0"}, {1, 1, 2, "F0"}, {1, 2, 4, "B0"}}, 2),
      "rank 0 | F0 F1 .  .  B0---\n"
      "rank 1 | .  F0 B0--- .  .\n");
}

TEST(RenderGrid, ColumnsFitTheLongestLabel) {
  // F10@12+3 has 8 characters and one column; B7 has two columns of 8 and the blank between them.
  EXPECT_EQ(RenderGrid({{0, 0, 1, "F10@12+3"}, {0, 1, 3, "B7"}, {0, 4, 5, "F1"}}, 1),
            "rank 0 | F10@12+3 B7--------------- .        F1\n");
  // A label of 5 in two columns needs columns of 2: 2 * 2 + 1.
  EXPECT_EQ(RenderGrid({{0, 0, 2, "12345"}, {0, 2, 3, "a"}}, 1), "rank 0 | 12345 a\n");
  EXPECT_EQ(RenderGrid({{0, 0, 2, "123456"}, {0, 2, 3, "a"}}, 1), "rank 0 | 123456- a\n");
}

TEST(RenderGrid, AlignsRankNumbersAndLeavesNoTrailingBlanks) {
  const std::string grid = RenderGrid({{2, 0, 1, "a"}, {10, 1, 2, "b"}}, 11);
  EXPECT_NE(grid.find("rank  2 | a .\n"), std::string::npos) << grid;
  EXPECT_NE(grid.find("rank 10 | . b\n"), std::string::npos) << grid;
  EXPECT_EQ(grid.find(" \n"), std::string::npos) << grid;
}

TEST(RenderGrid, WithoutCellsNamesTheRanks) {
  EXPECT_EQ(RenderGrid({}, 2), "rank 0 |\nrank 1 |\n");
  EXPECT_EQ(RenderGrid({}, 0), "");
}

TEST(RenderSchedule, RunsEverythingAsSoonAsPossible) {
  EXPECT_EQ(RenderSchedule(Make("1f1b", {.ranks = 4, .microbatches = 4})),
            "rank 0 | F0 F1 F2 F3 .  .  .  .  .  .  B0--- .  B1--- .  B2--- .  B3---\n"
            "rank 1 | .  F0 F1 F2 .  .  .  .  B0--- F3 B1--- .  B2--- .  B3--- .  .\n"
            "rank 2 | .  .  F0 F1 .  .  B0--- F2 B1--- F3 B2--- .  B3--- .  .  .  .\n"
            "rank 3 | .  .  .  F0 B0--- F1 B1--- F2 B2--- F3 B3--- .  .  .  .  .  .\n");
}

TEST(RenderSchedule, ShowsVersionsAndHorizons) {
  EXPECT_EQ(RenderSchedule(Make("pipeoptim", {.ranks = 2, .microbatches = 3}), {.versions = true}),
            "rank 0 | F0@0   F1@0+1 .      .      B0@0--------- F2@1+1 B1@1--------- .      "
            "B2@2---------\n"
            "rank 1 | .      F0@0   B0@0--------- F1@1   B1@1--------- F2@2   B2@2--------- .      "
            ".\n");
}

TEST(RenderSchedule, UpdatesTakeAColumnWhenShown) {
  EXPECT_EQ(RenderSchedule(Make("pipeoptim", {.ranks = 2, .microbatches = 2}),
                           {.versions = true, .updates = true}),
            "rank 0 | F0@0   P@0+1  F1@0+1 .      B0@0--------- S@0    .      B1@1--------- S@1\n"
            "rank 1 | .      F0@0   B0@0--------- S@0    F1@1   B1@1--------- S@1    .      .\n");
  EXPECT_EQ(RenderSchedule(Make("pipeoptim", {.ranks = 2, .microbatches = 2}), {.updates = true}),
            "rank 0 | F0 P  F1 .  B0--- S  .  B1--- S\n"
            "rank 1 | .  F0 B0--- S  F1 B1--- S  .  .\n");
}

TEST(RenderSchedule, AllReducesStartTogether) {
  // Rank 1 has a micro-batch less, so it waits at its A for rank 0.
  const Schedule schedule =
      Programs(3, {"0: 0F0@0 0B0@0 0F2@0 0B2@0 0A@0 0S@0", "0: 0F1@0 0B1@0 0A@0 0S@0"});
  EXPECT_EQ(RenderSchedule(schedule, {.updates = true}),
            "rank 0 | F0 B0--- F2 B2--- A  S\n"
            "rank 1 | F1 B1--- .  .  .  A  S\n");
}

TEST(RenderSchedule, NamesTheStageWhereARankHoldsSeveral) {
  const Schedule schedule =
      Programs(1, {"0 3: 0F0@0 3F0@0 3B0@0 0B0@0", "1 2: 1F0@0 2F0@0 2B0@0 1B0@0"});
  EXPECT_EQ(RenderSchedule(schedule),
            "rank 0 | 0F0 .   .   3F0 3B0---- .   .   .   .   0B0----\n"
            "rank 1 | .   1F0 2F0 .   .   .   2B0---- 1B0---- .   .\n");
}

TEST(RenderSchedule, DrawsCellsAsOneBlockOfTheSum) {
  const Schedule schedule =
      Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0", "1: 1F0@0 1B0@0 1F1@0 1B1@0"});
  EXPECT_EQ(RenderSchedule(schedule),
            "rank 0 | F0 .  .  .  F1&B0--- .  .  .  B1---\n"
            "rank 1 | .  F0 B0--- .  .  .  F1 B1--- .  .\n");
}

TEST(RenderSchedule, SplitBackwardsAndRecomputesTakeOneColumnEach) {
  const Schedule schedule = Programs(1, {"0: 0F0@0 0R0@0 0I0@0 0W0@0 0S@0"});
  EXPECT_EQ(RenderSchedule(schedule, {.updates = true}), "rank 0 | F0 R0 I0 W0 S\n");
}

TEST(RenderSchedule, CommunicationTakesNoTimeAndIsNotDrawn) {
  const Schedule schedule = Make("1f1b", {.ranks = 3, .microbatches = 4});
  for (const ReceivePolicy::Kind kind :
       {ReceivePolicy::Kind::kEarly, ReceivePolicy::Kind::kJustInTime}) {
    EXPECT_EQ(RenderSchedule(Lower(schedule, {kind, 0})), RenderSchedule(schedule));
  }
}

TEST(RenderSchedule, CutsAtAColumnAndSaysSo) {
  EXPECT_EQ(RenderSchedule(Make("1f1b", {.ranks = 2, .microbatches = 4}), {.max_columns = 7}),
            "rank 0 | F0 F1 .  .  B0--- F2\n"
            "rank 1 | .  F0 B0--- F1 B1---\n"
            "(cut after 7 columns)\n");
  // Exactly as wide as the picture: nothing is cut.
  EXPECT_EQ(RenderSchedule(Programs(1, {"0: 0F0@0 0B0@0"}), {.max_columns = 3}),
            "rank 0 | F0 B0---\n");
}

TEST(RenderSchedule, CutsWhereLinesWouldBeTooLong) {
  const Schedule schedule = Make("1f1b", {.ranks = 2, .microbatches = 4});
  // 9 characters of head, then 7 columns of 3, the last without the blank behind it: 29.
  const std::string seven =
      "rank 0 | F0 F1 .  .  B0--- F2\n"
      "rank 1 | .  F0 B0--- F1 B1---\n"
      "(cut after 7 columns)\n";
  EXPECT_EQ(RenderSchedule(schedule, {.max_characters = 29}), seven);
  EXPECT_EQ(RenderSchedule(schedule, {.max_characters = 31}), seven);
  EXPECT_NE(RenderSchedule(schedule, {.max_characters = 32}), seven);
  EXPECT_EQ(RenderSchedule(schedule, {.max_columns = 7, .max_characters = 100}), seven);
  EXPECT_EQ(RenderSchedule(schedule, {.max_characters = 1000}), RenderSchedule(schedule));
}

TEST(ColumnsWithin, AreThoseOfTheLabelsThatAreLeft) {
  const std::vector<DiagramCell> cells = {{0, 0, 1, "F0"}, {0, 1, 2, "F1"}, {0, 2, 3, "F100000"}};
  EXPECT_EQ(ColumnsWithin(cells, 1, 9 + 2 + 1 + 2), 2);          // Columns of 2: `F0 F1`.
  EXPECT_EQ(ColumnsWithin(cells, 1, 9 + 7 + 1 + 7 + 1 + 7), 3);  // Columns of 7.
  EXPECT_EQ(ColumnsWithin(cells, 1, 1), 1);
}

TEST(RenderProgram, PutsACaretUnderTheMarkedOp) {
  const Schedule schedule = Programs(4, {"0: 0F0@0", "0: 0F1@0 0F2@0 0F3@0 0B1@0 0B2@0 0B3@0"});
  EXPECT_EQ(RenderProgram(schedule, {1, 2}, 1),
            "  rank 1 | ... 0F2@0 0F3@0 0B1@0 ...\n"
            "                     ^");
  EXPECT_EQ(RenderProgram(schedule, {1, 0}, 1),
            "  rank 1 | 0F1@0 0F2@0 ...\n"
            "           ^");
  EXPECT_EQ(RenderProgram(schedule, {1, 5}),
            "  rank 1 | ... 0F2@0 0F3@0 0B1@0 0B2@0 0B3@0\n"
            "                                       ^");
  EXPECT_EQ(RenderProgram(schedule, {0, 0}),
            "  rank 0 | 0F0@0\n"
            "           ^");
}

}  // namespace
}  // namespace stagecraft
