#include <string>

#include <gtest/gtest.h>

#include "schedules/registry.h"
#include "tests/tools/program.h"
#include "tools/arguments/option_flags.h"

namespace stagecraft {
namespace {

TEST(SchedulesCommand, ListsEveryGeneratorWithItsBoundsAndSource) {
  const Outcome outcome = Stagecraft("schedules");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const Generator& generator : Generators()) {
    EXPECT_NE(("\n" + outcome.out).find("\n" + std::string(generator.name) + " "),
              std::string::npos)
        << generator.name;
    EXPECT_NE(outcome.out.find(generator.bounded), std::string::npos) << generator.name;
    EXPECT_NE(outcome.out.find(WithFlags(generator.bounded_otherwise)), std::string::npos)
        << generator.name;
    EXPECT_NE(outcome.out.find(generator.source), std::string::npos) << generator.name;
  }
}

// A bound that options lengthen is not exceeded in silence, in any command that makes the schedule.
TEST(SchedulesCommand, WhereItsBoundDoesNotHoldAWarningSaysByHowMuch) {
  for (const char* const command : {"generate", "show", "simulate", "explain"}) {
    const std::string start = std::string(command) + " interleaved-1f1b -n 1 ";
    const Outcome outcome = Stagecraft(start + "-p 8 -m 20");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    // Rank 0 holds 26 chunks; stated are (2 - 1) 8 + 2 * 7 + 1 = 23.
    EXPECT_NE(outcome.err.find("interleaved-1f1b: warning: the smallest group has 4 of the "
                               "micro-batches for 8 ranks"),
              std::string::npos)
        << outcome.err;
    EXPECT_NE(outcome.err.find("up to 3 more chunks of activations on a rank"), std::string::npos)
        << outcome.err;
    EXPECT_EQ(Stagecraft(start + "-p 8 -m 24").err.find("warning"), std::string::npos);
  }
}

TEST(SchedulesCommand, ListsThoseThatAreNamed) {
  const Outcome two = Stagecraft("schedules zb-auto 1f1b");
  EXPECT_EQ(two.code, 0) << two.err;
  EXPECT_EQ(two.out.rfind("1f1b ", 0), 0U) << two.out;
  EXPECT_NE(two.out.find("\nzb-auto "), std::string::npos) << two.out;
  EXPECT_EQ(two.out.find("\ngpipe "), std::string::npos) << two.out;

  const Outcome none = Stagecraft("schedules 1f1");
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err, "error: '1f1' is not the name of a schedule; did you mean '1f1b'?\n");
}

}  // namespace
}  // namespace stagecraft
