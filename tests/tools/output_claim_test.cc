#include "tools/output_claim.h"

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/tools/program.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

namespace fs = std::filesystem;

std::string FailureOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const CommandFailure& failure) {
    EXPECT_EQ(failure.Code(), ExitCode::kUsage);
    return failure.what();
  }
  return "none";
}

std::string Refused(const std::string& path) {
  return path + ": error: is being written by another run (process " + std::to_string(getpid()) +
         "); expected another file, or to start when that run is over\n";
}

TEST(OutputClaim, AnotherProcessIsRefusedUntilItIsGivenUp) {
  const std::string path = TestPath("claimed.sched");
  fs::remove(path);
  {
    const OutputClaim claim(path);
    const Outcome outcome = Stagecraft("generate gpipe -p 2 -m 2 -o claimed.sched");
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.err, Refused("claimed.sched"));
    EXPECT_FALSE(fs::exists(path));  // Neither the file nor one that says it is claimed.
    const OutputClaim again(path);   // Whoever claims it for longer writes it as well.
  }
  EXPECT_EQ(Stagecraft("generate gpipe -p 2 -m 2 -o claimed.sched").code, 0);
}

TEST(OutputClaim, IsOfTheFileHoweverItIsNamed) {
  const std::string path = WriteTestFile("real.sched", "");
  fs::remove(TestPath("link.sched"));
  fs::create_symlink("real.sched", TestPath("link.sched"));
  const OutputClaim claim(path);
  for (const char* name : {"real.sched", "./real.sched", "$PWD/real.sched", "link.sched"}) {
    EXPECT_EQ(Stagecraft("generate gpipe -p 2 -m 2 -o " + std::string(name)).code, 2) << name;
  }
  EXPECT_EQ(Stagecraft("generate gpipe -p 2 -m 2 -o other.sched").code, 0);
}

TEST(OutputClaim, GoesWithAProcessThatIsKilled) {
  int told[2];
  ASSERT_EQ(pipe(told), 0);
  const std::string path = TestPath("killed.sched");

  // The child says when it has the claim, and keeps it until it is killed.
  const pid_t child = fork();
  if (child == 0) {
    const OutputClaim claim(path);
    char byte = 'y';
    if (write(told[1], &byte, 1) == 1) {
      pause();
    }
    _exit(0);
  }

  char byte = 0;
  ASSERT_EQ(read(told[0], &byte, 1), 1);
  EXPECT_NE(FailureOf([&] { OutputClaim claim(path); }).find(std::to_string(child)),
            std::string::npos);

  // The claim goes with the process, which had no time to give it back.
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(FailureOf([&] { OutputClaim claim(path); }), "none");

  close(told[0]);
  close(told[1]);
}

TEST(OutputClaim, PipesAndDevicesNeedNone) {
  for (const char* path : {"-", "/dev/stdout", "/dev/null", "/dev/fd/1", ""}) {
    EXPECT_EQ(OutputClaim(path).Key(), "") << path;
  }
  OutputClaims claims;
  claims.Add("--metrics", "/dev/null");
  claims.Add("--trace", "/dev/null");
}

TEST(OutputClaims, OneFileIsOfOneFlag) {
  OutputClaims claims;
  claims.Add("--metrics", TestPath("a.txt"));
  claims.Add("--record", "");
  claims.Add("--trace", TestPath("b.txt"));
  const std::string folder = fs::path(TestPath("a.txt")).parent_path().string();
  EXPECT_EQ(FailureOf([&] { claims.Add("--save", folder + "/./a.txt"); }),
            folder +
                "/./a.txt: error: is the file of --metrics as well as of --save; expected "
                "one for each");
}

}  // namespace
}  // namespace stagecraft
