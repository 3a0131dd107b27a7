#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

/// The pages that show what the program prints, from the root of the project.
constexpr const char* kPages[] = {"README.md", "bench/results.md", "tools/pytorch.md"};

/// A command shown on a page and the lines that it shows below; `...` stands for any others.
struct Shown {
  std::string command;
  std::vector<std::string> lines;
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::vector<Shown> CommandsIn(const std::string& page) {
  std::vector<Shown> commands;
  bool inside = false;
  for (const std::string& line : Lines(page)) {
    if (line.rfind("$ stagecraft ", 0) == 0) {
      commands.push_back({line.substr(2), {}});
      inside = true;
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      commands.back().lines.push_back(line);
    }
  }
  return commands;
}

/// The first shown line that is not where it should be in `printed`; empty if all are.
std::string FirstDifference(const Shown& shown, const std::vector<std::string>& printed) {
  std::size_t at = 0;
  bool skip = false;

  // `...` stands for any number of lines.
  for (const std::string& line : shown.lines) {
    if (line == "...") {
      skip = true;
      continue;
    }
    while (skip && at < printed.size() && printed[at] != line) {
      ++at;
    }
    if (at >= printed.size() || printed[at] != line) {
      return line;
    }
    ++at;
    skip = false;
  }

  return "";
}

class Pages : public testing::TestWithParam<const char*> {};

TEST_P(Pages, ShowWhatTheProgramPrints) {
  const std::vector<Shown> commands =
      CommandsIn(ReadTestFile(std::string(STAGECRAFT_SOURCE_DIR "/") + GetParam()));
  ASSERT_FALSE(commands.empty());
  Shell("ln -sfn " STAGECRAFT_SOURCE_DIR "/tests tests");  // They are run from the top there.
  for (const Shown& shown : commands) {
    const Outcome outcome = Shell(shown.command);
    ASSERT_FALSE(shown.lines.empty()) << shown.command;
    EXPECT_EQ(FirstDifference(shown, Lines(outcome.out + outcome.err)), "") << shown.command;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Pages, testing::ValuesIn(kPages));

/// A page with a command that is not looked at here could rot.
TEST(Readme, NoOtherPageShowsWhatTheProgramPrints) {
  namespace fs = std::filesystem;
  const fs::path root(STAGECRAFT_SOURCE_DIR);
  for (const char* const room :
       {"schedules", "traces", "sim", "engine", "tools", "tests", "bench"}) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string path = fs::relative(entry.path(), root).generic_string();
      if (entry.path().extension() == ".md" &&
          std::find(std::begin(kPages), std::end(kPages), path) == std::end(kPages)) {
        EXPECT_TRUE(CommandsIn(ReadTestFile(entry.path().string())).empty()) << path;
      }
    }
  }
}

}  // namespace
}  // namespace stagecraft
