#include "tools/file_access.h"

#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

namespace fs = std::filesystem;

/// The failure of `action` as `code: text`.
std::string FailureOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const CommandFailure& failure) {
    return std::to_string(static_cast<int>(failure.Code())) + ": " + failure.what();
  }
  return "none";
}

TEST(WriteFile, ReplacesTheWholeFileAndLeavesNothingBeside) {
  const std::string path = WriteTestFile("a.txt", "a much longer text than the new one");
  WriteFile(path, "new");
  EXPECT_EQ(ReadTestFile(path), "new");
  const fs::path folder = fs::path(path).parent_path();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    EXPECT_EQ(entry.path().extension(), ".txt") << entry.path();
  }
}

TEST(WriteFile, KeepsASymbolicLink) {
  const std::string target = WriteTestFile("target.txt", "old");
  const std::string link = TestPath("link.txt");
  fs::remove(link);
  fs::create_symlink(target, link);
  WriteFile(link, "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(ReadTestFile(target), "new");
}

TEST(WriteFile, AnUnusablePathIsBadUsage) {
  EXPECT_EQ(FailureOf([] { WriteFile("/no/such/folder/a.txt", "x"); }),
            "2: /no/such/folder/a.txt: error: cannot be written: No such file or directory");
  EXPECT_EQ(FailureOf([] { WriteFile("/tmp", "x"); }),
            "2: /tmp: error: cannot be written: expected the name of a file, got a folder");
}

TEST(FindProfile, WithoutShippedProfilesSaysWhereTheyBelong) {
  const Outcome outcome = Shell(
      "mkdir -p elsewhere && cp \"$(command -v stagecraft)\" elsewhere/ && "
      "elsewhere/stagecraft simulate 1f1b --profile vgg16");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(
      outcome.err.find("'vgg16' is neither a file nor a shipped profile; none is shipped with "
                       "this program: they belong into share/stagecraft/profiles or "
                       "traces/recorded in a folder above "),
      std::string::npos)
      << outcome.err;
}

TEST(FindProfile, TheHelpNamesAllThatAreShipped) {
  for (const std::string& name : ShippedProfileNames()) {
    EXPECT_NE(Stagecraft("simulate --help").out.find(name), std::string::npos) << name;
  }
  const Outcome outcome = Stagecraft("simulate 1f1b --profile vgg17");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("; did you mean 'vgg16'?"), std::string::npos) << outcome.err;
}

TEST(WriteFile, AFullDiskIsAFailure) {
  EXPECT_EQ(FailureOf([] { WriteFile("/dev/full", "x"); }),
            "3: /dev/full: error: writing failed: No space left on device");
}

TEST(ReadFile, ReadsBackWhatWasWritten) {
  const std::string bytes("a\0b\n\xff", 5);
  EXPECT_EQ(ReadFile(WriteTestFile("bytes", bytes)), bytes);
  EXPECT_EQ(ReadFile(WriteTestFile("empty", "")), "");
}

TEST(ReadFile, SaysWhyItCannot) {
  EXPECT_EQ(FailureOf([] { ReadFile("/no/such/file"); }),
            "2: /no/such/file: error: cannot be opened: No such file or directory");
  EXPECT_EQ(FailureOf([] { ReadFile("/tmp"); }), "2: /tmp: error: cannot be read: Is a directory");
}

TEST(FindProfile, LeavesPathsAlone) {
  EXPECT_EQ(FindProfile("./vgg16"), "./vgg16");
}

TEST(FindProfile, FindsAShippedOneFromAnyFolder) {
  EXPECT_TRUE(FindProfile("vgg16").ends_with("traces/recorded/vgg16.profile.json"))
      << FindProfile("vgg16");
}

TEST(FindProfile, NamesTheShippedOnesWhenThereIsNone) {
  EXPECT_EQ(FailureOf([] { FindProfile("gnmtt"); }),
            "2: --profile: error: 'gnmtt' is neither a file nor a shipped profile; expected one of "
            "alexnet, gnmt, resnet101, resnet50, vgg16; did you mean 'gnmt'?");
}

}  // namespace
}  // namespace stagecraft
