#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

/// The commands below `Examples:` in a help text, as they stand there: without their indentation,
/// but with backslashes where they go on in the next line.
std::vector<std::string> ExamplesIn(const std::string& help) {
  std::vector<std::string> examples;
  std::istringstream lines(help);
  bool inside = false;
  bool goes_on = false;

  for (std::string line; std::getline(lines, line);) {
    if (goes_on) {
      examples.back() += "\n" + line;
    } else if (inside && line.rfind("  stagecraft ", 0) == 0) {
      examples.push_back(line.substr(2));
    }
    goes_on = inside && line.ends_with('\\');
    inside = line.rfind("Examples:", 0) == 0 || (inside && !line.empty());
  }

  return examples;
}

class HelpExamples : public testing::TestWithParam<const char*> {};

/// Whether an example trains, which takes LibTorch.
bool Trains(const std::string& example) {
  return example.find("stagecraft train") != std::string::npos ||
         example.find("stagecraft profile") != std::string::npos ||
         (example.find("stagecraft validate") != std::string::npos &&
          example.find("--rehearse") == std::string::npos);
}

TEST_P(HelpExamples, AllRunAndPrintSomething) {
  const std::string command = GetParam();
  const Outcome help = Stagecraft(command + " --help");
  ASSERT_EQ(help.code, 0) << help.err;
  const std::vector<std::string> examples = ExamplesIn(help.out);
  ASSERT_FALSE(examples.empty()) << help.out;

  // Examples that train need LibTorch.
  for (const std::string& example : examples) {
    if (!STAGECRAFT_HAS_TORCH && Trains(example)) {
      continue;
    }
    const Outcome outcome = Shell(example);
    EXPECT_EQ(outcome.code, 0) << example << "\n" << outcome.err;
    EXPECT_NE(outcome.out, "") << example;
    EXPECT_NE(example.find(command), std::string::npos) << example;
  }
}

INSTANTIATE_TEST_SUITE_P(All, HelpExamples,
                         testing::Values("schedules", "generate", "check", "show", "simulate",
                                         "compare", "explain", "validate", "train", "profile"));

}  // namespace
}  // namespace stagecraft
