#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ShowCommand, DrawsTheSchedule) {
  const Outcome outcome = Stagecraft("show 1f1b -p 3 -m 4");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const char* const picture =
      "rank 0 | F0 F1 F2 .  .  .  .  B0--- F3 B1--- .  B2--- .  B3---\n"
      "rank 1 | .  F0 F1 .  .  B0--- F2 B1--- F3 B2--- .  B3--- .  .\n"
      "rank 2 | .  .  F0 B0--- F1 B1--- F2 B2--- F3 B3--- .  .  .  .\n";
  EXPECT_TRUE(Contains(outcome.out, picture)) << outcome.out;
}

TEST(ShowCommand, ListsVersionsStalenessAndWeightCopies) {
  const Outcome outcome = Stagecraft("show pipedream -p 4 -m 8");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out,
                       "stage  rank  forwards read            backwards read\n"
                       "    0     0  @0 @0 @0 @0 @1 @2 @3 @4  @0 @0 @0 @0 @1 @2 @3 @4\n"))
      << outcome.out;

  // Stage 0: D = 4 copies and sets; staleness 3 once the ramp of 0, 1, 2 is over.
  EXPECT_TRUE(Contains(outcome.out,
                       "    0              4                4          3        3  "
                       "0 x1, 1 x1, 2 x1, 3 x5\n"))
      << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "\nStaleness: updates that a gradient missed, once "));

  // Where the largest staleness is another than the steady one, it has a column.
  EXPECT_FALSE(Contains(outcome.out, "max staleness")) << outcome.out;
  EXPECT_TRUE(
      Contains(Stagecraft("show pipedream -p 4 -m 12 --drain-every 10").out, "max staleness"));
}

TEST(ShowCommand, ShowsVersionsAndUpdatesInTheDiagramWhenAsked) {
  const Outcome outcome = Stagecraft("show sequential -p 1 -m 1 --versions --updates");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "rank 0 | F0@0 B0@0----- S@0\n")) << outcome.out;
}

TEST(ShowCommand, CutsTheDiagram) {
  const Outcome cut = Stagecraft("show 1f1b -p 4 -m 100 --columns 20");
  const Outcome whole = Stagecraft("show 1f1b -p 4 -m 100 --columns 0");
  EXPECT_EQ(cut.code, 0) << cut.err;
  EXPECT_FALSE(Contains(cut.out, "B99"));
  EXPECT_TRUE(Contains(whole.out, "B99"));
}

TEST(ShowCommand, ShowsMemoryOnlyWithSizes) {
  EXPECT_TRUE(Contains(Stagecraft("show 1f1b").out, "note: for memory in bytes"));
  // Stage 0 of 1F1B holds 4 sets of 10 MB and one weight copy of 1 GB.
  const Outcome outcome = Stagecraft("show 1f1b -p 4 -m 8 --activation 10MB --parameters 1GB");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "1.04 GB")) << outcome.out;
}

TEST(ShowCommand, RefusesABadSchedule) {
  WriteTestFile("bad.sched",
                "stagecraft schedule 1\n"
                "shape ranks 1 stages 1 microbatches 1\n"
                "place 0: 0\n"
                "rank 0 0F0@0\n");
  const Outcome outcome = Stagecraft("show bad.sched");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(Contains(outcome.err, "error:")) << outcome.err;
}

}  // namespace
}  // namespace stagecraft
