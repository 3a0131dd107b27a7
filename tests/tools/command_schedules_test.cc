#include <string>

#include <gtest/gtest.h>

#include "schedules/registry.h"
#include "tests/tools/program.h"

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
    EXPECT_NE(outcome.out.find(generator.source), std::string::npos) << generator.name;
  }
}

}  // namespace
}  // namespace stagecraft
