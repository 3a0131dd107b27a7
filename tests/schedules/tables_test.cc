#include "schedules/tables.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(Table, IsIndexedByAnyInteger) {
  Table<int> table{10, 11, 12};
  table[std::int32_t{1}] = 21;
  table[std::int64_t{2}] = 22;
  EXPECT_EQ(table[std::size_t{0}], 10);
  EXPECT_EQ(table[std::uint32_t{1}], 21);
  EXPECT_EQ(table[std::int8_t{2}], 22);
  EXPECT_EQ(table.Count(), 3);
}

TEST(Table, IsMadeByACountAndAValue) {
  const std::int32_t count = 3;
  EXPECT_EQ(Table<std::int32_t>(count), (Table<std::int32_t>{0, 0, 0}));
  EXPECT_EQ(Table<std::int32_t>(count, 7), (Table<std::int32_t>{7, 7, 7}));
  EXPECT_EQ((Table<std::int32_t>{count, 7}), (std::vector<std::int32_t>{3, 7}));
}

TEST(Table, ChangesItsSizeByAnyInteger) {
  Table<std::string> table;
  table.reserve(std::int32_t{8});
  EXPECT_GE(table.capacity(), 8U);
  table.resize(std::int32_t{1});
  table.resize(std::int64_t{2}, "b");
  EXPECT_EQ(table, (Table<std::string>{"", "b"}));
  table.assign(std::int32_t{2}, "c");
  EXPECT_EQ(table, (Table<std::string>{"c", "c"}));
}

TEST(Table, HoldsWhatCannotBeCopied) {
  Table<std::unique_ptr<int>> table(2);
  table.resize(3);
  table[2] = std::make_unique<int>(5);
  EXPECT_EQ(table[0], nullptr);
  EXPECT_EQ(*table[2], 5);
}

TEST(Table, HoldsBits) {
  Table<bool> table(2, false);
  table[1] = true;
  EXPECT_FALSE(table[0]);
  EXPECT_TRUE(table[1]);
}

TEST(TableView, ShowsAPartOfATable) {
  Table<int> table{10, 11, 12, 13};
  const TableView<int> view(table);
  const TableView<int> middle = view.Between(std::int32_t{1}, std::int32_t{3});
  EXPECT_EQ(middle.Count(), 2);
  middle[std::int32_t{1}] = 22;
  EXPECT_EQ(table, (Table<int>{10, 11, 22, 13}));
  EXPECT_TRUE(view.Between(2, 2).empty());
}

TEST(EnumTable, IsIndexedByTheEnumerators) {
  enum class Fruit : std::uint8_t { kApple, kPear };
  EnumTable<Fruit, int, 2> table{{3, 4}};
  table[Fruit::kPear] += 10;
  EXPECT_EQ(table[Fruit::kApple], 3);
  EXPECT_EQ(table[Fruit::kPear], 14);
}

}  // namespace
}  // namespace stagecraft
