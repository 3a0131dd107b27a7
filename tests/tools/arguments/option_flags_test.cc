#include "tools/arguments/option_flags.h"

#include <gtest/gtest.h>

#include "schedules/registry.h"
#include "tests/tools/program.h"

namespace stagecraft {
namespace {

TEST(OptionFlags, AreNamedAsTheProgramHasThem) {
  EXPECT_EQ(FlagOf("ranks"), "-p");
  EXPECT_EQ(FlagOf("update_every"), "--update-every");
  EXPECT_EQ(FlagOf("memory"), "--memory");
  EXPECT_EQ(FlagOf("sched"), "");
}

TEST(OptionFlags, TakeTheirNamesPlacesInATextOfTheLibrary) {
  EXPECT_EQ(WithFlags("expected `microbatches` to be a multiple of `ranks`"),
            "expected -m to be a multiple of -p");
  EXPECT_EQ(WithFlags("see `stagecraft schedules`; `chunks"),
            "see `stagecraft schedules`; `chunks");
  EXPECT_EQ(WithFlags(""), "");
}

TEST(OptionFlags, NoOptionIsNamedToAUserOfTheProgram) {
  const Outcome outcome = Stagecraft("schedules");
  for (const Generator& generator : Generators()) {
    EXPECT_NE(outcome.out.find(WithFlags(generator.summary)), std::string::npos);
  }
  EXPECT_EQ(outcome.out.find('`'), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace stagecraft
