#include "schedules/text.h"

#include <cstdio>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::ParseOk;
using test::Texts;

/// The example of the format's description, in canonical form.
constexpr std::string_view kPipeOptim = R"(stagecraft schedule 1
name      pipeoptim
shape     ranks 2 stages 2 microbatches 3
place     0: 0
place     1: 1
rank 0    0F0@0 0P@0+1 0F1@0+1 0B0@0 0S@0 0P@1+1 0F2@1+1 0B1@1 0S@1 0B2@2 0S@2
rank 1    1F0@0 1B0@0 1S@0 1F1@1 1B1@1 1S@1 1F2@2 1B2@2 1S@2
)";

TEST(Print, GivesTheCanonicalForm) {
  Schedule schedule = test::Make("pipeoptim", {.ranks = 2, .microbatches = 3});
  schedule.source.clear();
  EXPECT_EQ(Print(schedule), kPipeOptim);
  EXPECT_EQ(ParseOk(kPipeOptim), schedule);
  EXPECT_EQ(ParseOk(kPipeOptim).name, "pipeoptim");
}

TEST(Print, WritesSourceModeReplicasAndCells) {
  const std::string text = R"(stagecraft schedule 1
name      hand made
source    nowhere 2024
shape     ranks 2 stages 3 microbatches 2
mode      forward
place     0: 2 0
place     1: 1 0
rank 0    0F0@0 (0F1@0;2F0@0) 2F1@0
rank 1    (1F0@0;1F1@0;1R1@7-3)
)";
  const Schedule schedule = ParseOk(text);
  EXPECT_EQ(schedule.mode, Mode::kForward);
  EXPECT_EQ(schedule.source, "nowhere 2024");
  EXPECT_EQ(schedule.placement, (Table<Table<std::int32_t>>{{2, 0}, {1, 0}}));
  EXPECT_FALSE(schedule.programs[0][0].joined);
  EXPECT_TRUE(schedule.programs[0][1].joined);
  EXPECT_FALSE(schedule.programs[0][2].joined);
  EXPECT_TRUE(schedule.programs[1][1].joined);
  EXPECT_EQ(schedule.programs[1][2].horizon, -3);
  EXPECT_EQ(Print(schedule), text);
}

TEST(Print, WrapsProgramsAtAHundredColumnsBetweenWords) {
  // Each op ` 0F10@0` takes 7 columns behind the 9 of `rank 0   `: 13 of them make 100.
  std::string line = "rank 0";
  for (int i = 0; i < 14; ++i) {
    line += " 0F10@0";
  }
  const Schedule schedule = ParseOk(
      "stagecraft schedule 1\nshape ranks 1 stages 1 microbatches 11\nplace 0: 0\n" + line + "\n");
  const std::string full =
      "rank 0    0F10@0 0F10@0 0F10@0 0F10@0 0F10@0 0F10@0 0F10@0 0F10@0 "
      "0F10@0 0F10@0 0F10@0 0F10@0 0F10@0";
  ASSERT_EQ(full.size(), 100U);
  EXPECT_EQ(Print(schedule),
            "stagecraft schedule 1\nshape     ranks 1 stages 1 microbatches 11\nplace     0: 0\n" +
                full + "\nrank 0    0F10@0\n");
  EXPECT_EQ(ParseOk(Print(schedule)), schedule);
}

TEST(Print, NeverBreaksACell) {
  std::string cell = "(0F0@0";
  for (int i = 0; i < 30; ++i) {
    cell += ";0F0@0";
  }
  const Schedule schedule =
      ParseOk("stagecraft schedule 1\nshape ranks 1 stages 1 microbatches 1\nplace 0: 0\nrank 0 " +
              cell + ") 0B0@0\n");
  const std::string text = Print(schedule);
  EXPECT_NE(text.find("rank 0    " + cell + ")\n"), std::string::npos) << text;
  EXPECT_EQ(ParseOk(text), schedule);
}

TEST(Print, KeepsDisplayTextOnOneLine) {
  Schedule schedule = ParseOk(kPipeOptim);
  schedule.name = "  two\nlines # no comment\t";
  schedule.source = "\n\n";
  const std::string text = Print(schedule);
  EXPECT_NE(text.find("name      two lines   no comment\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("source"), std::string::npos) << text;
  EXPECT_EQ(Print(ParseOk(text)), text);
}

TEST(Parse, ReadsBackWhatPrintWrites) {
  int count = 0;
  const auto check = [&](const Schedule& schedule) {
    const std::string text = Print(schedule);
    const Result<Schedule> again = Parse(text, "again.sched");
    ASSERT_TRUE(again) << Texts(again.diagnostics) << text;
    ASSERT_EQ(*again.value, schedule);
    ASSERT_EQ(again.value->name, schedule.name);
    ASSERT_EQ(again.value->source, schedule.source);
    ASSERT_EQ(Print(*again.value), text);
    ++count;
  };
  test::ForEachVariant(3, [&](const test::Variant& variant) {
    const Schedule schedule = variant.Make();
    check(schedule);
    check(Lower(schedule));
  });
  std::cout << count << " schedules printed, parsed and printed again\n";
  EXPECT_GT(count, 1000);
}

TEST(Parse, ForgivesBlanksCommentsLineEndsAndOrder) {
  const Schedule schedule = ParseOk(
      "# why this file is here\n"
      "\n"
      "stagecraft schedule 1   # the version\r\n"
      "shape\tranks 2  stages 2 microbatches 3\n"
      "mode training\n"
      "rank 1 1F0@0 1B0@0 1S@0 1F1@1 1B1@1  # a program may continue\n"
      "place 1:  1\r\n"
      "rank 0 0F0@0 0P@0+1 0F1@0+1 0B0@0 0S@0 0P@1+1 0F2@1+1 0B1@1 0S@1 0B2@2 0S@2\n"
      "place 0: 0\n"
      "name pipeoptim\n"
      "rank 1\t1S@1 1F2@2 1B2@2 1S@2");
  EXPECT_EQ(Print(schedule), kPipeOptim);
}

TEST(Parse, TakesTheLargestNumbers) {
  const Schedule schedule = ParseOk(
      "stagecraft schedule 1\n"
      "shape ranks 1 stages 2147483647 microbatches 2147483647\n"
      "place 0: 2147483646\n"
      "rank 0 2147483647F2147483647@2147483647+32767 0P@0-32767\n");
  EXPECT_EQ(schedule.programs[0][0].horizon, 32767);
  EXPECT_EQ(schedule.programs[0][1].horizon, -32767);
  EXPECT_EQ(ParseOk(Print(schedule)), schedule);
}

TEST(Parse, AcceptsARankWithoutOps) {
  const Schedule schedule =
      ParseOk("stagecraft schedule 1\nshape ranks 1 stages 1 microbatches 1\nplace 0:\nrank 0\n");
  EXPECT_TRUE(schedule.placement[0].empty());
  EXPECT_TRUE(schedule.programs[0].empty());
  EXPECT_EQ(ParseOk(Print(schedule)), schedule);
}

}  // namespace
}  // namespace stagecraft
