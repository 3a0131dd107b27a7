#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

TEST(Program, WithoutACommandShowsTheHelpAsBadUsage) {
  const Outcome outcome = Stagecraft("");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("simulate"), std::string::npos);
}

TEST(Program, HelpAndVersionAreFine) {
  EXPECT_EQ(Stagecraft("--help").code, 0);
  EXPECT_EQ(Stagecraft("simulate --help").code, 0);
  const Outcome version = Stagecraft("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out.rfind("stagecraft 0.", 0), 0U) << version.out;
}

/// A command line that is wrong, and all that it must say.
struct Misuse {
  const char* arguments;
  const char* message;
};

void PrintTo(const Misuse& misuse, std::ostream* out) {
  *out << misuse.arguments;
}

class ProgramMisuse : public testing::TestWithParam<Misuse> {};

TEST_P(ProgramMisuse, SaysWhatWasFoundAndExpected) {
  const Outcome outcome = Stagecraft(GetParam().arguments);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, std::string("error: ") + GetParam().message + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    All, ProgramMisuse,
    testing::Values(
        Misuse{"simualte", "unknown command 'simualte'; did you mean 'simulate'?"},
        Misuse{"frobnicate", "unknown command 'frobnicate'; see `stagecraft --help`"},
        Misuse{"--frobnicate", "unknown flag '--frobnicate'; see `stagecraft --help`"},
        Misuse{"''", "unknown command ''; see `stagecraft --help`"},
        Misuse{"simulate 1f1b --forwrad 1ms",
               "unknown flag '--forwrad'; did you mean '--forward'?"},
        Misuse{"simulate 1f1b --forwrad=1ms",
               "unknown flag '--forwrad'; did you mean '--forward'?"},
        Misuse{"show 1f1b extra", "unexpected argument 'extra'; see `stagecraft show --help`"},
        Misuse{"simulate", "NAME|FILE is required; see `stagecraft simulate --help`"},
        Misuse{"simulate 1f1",
               "'1f1' is neither a file nor the name of a schedule; did you mean "
               "'1f1b'?"},
        Misuse{"simulate quux",
               "'quux' is neither a file nor the name of a schedule; see "
               "`stagecraft schedules`"},
        Misuse{"show 1f1b -p x",
               "-p: expected a whole number from 1 to 2147483647, got 'x'; see "
               "`stagecraft show --help`"},
        Misuse{"show 1f1b -p -3",
               "-p: expected a whole number from 1 to 2147483647, got '-3'; see "
               "`stagecraft show --help`"},
        Misuse{"show 1f1b -p", "-p: 1 required P missing; see `stagecraft show --help`"},
        Misuse{"show gpipe --checkpoint al",
               "--checkpoint: expected none or all or except-last, got 'al'; did you mean 'all'?; "
               "see `stagecraft show --help`"},
        Misuse{"simulate 1f1b --forward 3",
               "--forward: expected a duration with a unit (ns, us, ms, s, min), got '3'; see "
               "`stagecraft simulate --help`"},
        Misuse{"simulate 1f1b --forward 1ms,,1ms",
               "--forward: expected a duration such as 2.5us, got ''; see `stagecraft simulate "
               "--help`"},
        Misuse{"simulate 1f1b --speed 3",
               "--speed: expected RANK=FACTOR such as 2=0.5, got '3'; see `stagecraft simulate "
               "--help`"},
        Misuse{"simulate 1f1b --receive sometime",
               "--receive: receive policy 'sometime'; expected early, just-in-time or lookahead:K "
               "with K from 0 to 2147483647; see `stagecraft simulate --help`"},
        Misuse{"simulate 1f1b --json --diagram",
               "--json excludes --diagram; see `stagecraft simulate --help`"}));

TEST(Program, AFullDiskIsAFailure) {
  const Outcome outcome = Shell("stagecraft schedules >/dev/full");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.err, "standard output: error: writing failed: No space left on device\n");
}

TEST(Program, AReaderThatGoesAwayIsNoFailure) {
  const Outcome outcome =
      Shell("{ stagecraft generate 1f1b -p 32 -m 1024; echo \"code $?\" >&2; } | head -n 1");
  EXPECT_EQ(outcome.out, "stagecraft schedule 1\n");
  EXPECT_EQ(outcome.err, "code 0\n");
}

TEST(Program, WritesNoColourToFiles) {
  const Outcome outcome = Stagecraft("check 1f1b");
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace stagecraft
