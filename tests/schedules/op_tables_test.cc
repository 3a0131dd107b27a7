#include "schedules/op_tables.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// Three ranks, of which one has no op.
Schedule ThreePrograms() {
  return test::Programs(2, {"0: 0F0@0 0F1@0", "1:", "2: 2F0@0 2F1@0 2B0@0"});
}

TEST(PairTable, HasAnEntryOfItsOwnForEveryPair) {
  PairTable<int> table(Shape{.ranks = 1, .stages = 3, .microbatches = 2});
  int number = 0;
  for (std::int32_t stage = 0; stage < 3; ++stage) {
    for (std::int32_t q = 0; q < 2; ++q) {
      table(stage, q) = number++;
    }
  }
  EXPECT_EQ(std::vector<int>(table.begin(), table.end()), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ((table[Op{.stage = 2, .microbatch = 1}]), 5);
  EXPECT_EQ((table[Op{.stage = 1, .microbatch = 0}]), 2);
}

TEST(PairTable, GivesTheRowOfAStage) {
  PairTable<int> table(3, 2, 7);
  table(1, 1) = 8;
  EXPECT_EQ(table.Stages(), 3);
  ASSERT_EQ(table.Of(1).Count(), 2);
  EXPECT_EQ(table.Of(1)[0], 7);
  EXPECT_EQ(table.Of(1)[1], 8);
}

TEST(PairTable, IsEmptyUnlessItIsGivenAShape) {
  EXPECT_TRUE(PairTable<int>().empty());
  EXPECT_FALSE(PairTable<int>(1, 1).empty());
}

TEST(OpTable, IsIndexedByOpAndById) {
  OpTable<int> table(ThreePrograms(), 9);
  ASSERT_EQ(table.size(), 5U);
  table[{0, 1}] = 1;
  table[{2, 0}] = 2;
  table[4] = 3;
  EXPECT_EQ(table[1], 1);
  EXPECT_EQ(table[2], 2);
  EXPECT_EQ((table[{2, 2}]), 3);
  EXPECT_EQ((table[{0, 0}]), 9);
}

TEST(OpTable, GivesTheEntriesOfARank) {
  OpTable<int> table(ThreePrograms());
  EXPECT_TRUE(table.Of(1).empty());
  ASSERT_EQ(table.Of(2).Count(), 3);
  table.Of(2)[1] = 6;
  EXPECT_EQ((table[{2, 1}]), 6);
  EXPECT_EQ(table.Of(0).Count(), 2);
}

TEST(OpTable, EqualsWhatHasTheSameEntries) {
  const OpTable<int> zeros(ThreePrograms());
  OpTable<int> other(ThreePrograms());
  EXPECT_EQ(zeros, other);
  other[{2, 1}] = 1;
  EXPECT_NE(zeros, other);
}

}  // namespace
}  // namespace stagecraft
