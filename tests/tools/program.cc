#include "tests/tools/program.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

namespace fs = std::filesystem;

/// One folder per test, so that tests that run at the same time do not meet.
fs::path TestFolder() {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  return fs::path(testing::TempDir()) / "stagecraft_tools_test" /
         (std::string(test->test_suite_name()) + "." + test->name());
}

fs::path FreshFolder() {
  fs::path folder = TestFolder();
  fs::create_directories(folder);
  return folder;
}

}  // namespace

Outcome Shell(const std::string& command) {
  const std::string out = TestPath("stdout");
  const std::string err = TestPath("stderr");
  const std::string line = "cd '" + TestFolder().string() +
                           "' && PATH='" STAGECRAFT_PROGRAM_FOLDER "':\"$PATH\" && { " + command +
                           "\n} >'" + out + "' 2>'" + err + "' </dev/null";
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadTestFile(out), ReadTestFile(err)};
}

Outcome Stagecraft(const std::string& arguments) {
  return Shell("stagecraft " + arguments);
}

std::string StagecraftOnTerminal(const std::string& arguments, int columns) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  EXPECT_TRUE(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
  winsize size{};
  size.ws_row = 25;
  size.ws_col = static_cast<unsigned short>(columns);
  EXPECT_EQ(ioctl(terminal, TIOCSWINSZ, &size), 0);

  // The other end stays open until everything is read: what is in between would be lost.
  const std::string other_end = ptsname(terminal);
  const int held = open(other_end.c_str(), O_RDWR | O_NOCTTY);
  const Outcome outcome = Shell("unset COLUMNS; stagecraft " + arguments + " >" + other_end);
  EXPECT_EQ(outcome.code, 0) << outcome.err;

  std::string text;
  char bytes[4096];
  for (ssize_t count = 0; (count = read(terminal, bytes, sizeof(bytes))) > 0;) {
    text.append(bytes, static_cast<std::size_t>(count));
  }
  close(held);
  close(terminal);
  std::erase(text, '\r');
  return text;
}

std::string TestPath(const std::string& name) {
  return (FreshFolder() / name).string();
}

std::string WriteTestFile(const std::string& name, const std::string& text) {
  std::string path = TestPath(name);
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string ReadTestFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace stagecraft
