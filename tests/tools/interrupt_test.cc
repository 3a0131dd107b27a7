#include "tools/interrupt.h"

#include <csignal>
#include <string>

#include <gtest/gtest.h>

#include "tests/tools/program.h"

namespace stagecraft {
namespace {

TEST(StopOnSignal, TheOutermostListensAndIsAskedOnce) {
  const StopOnSignal outer;
  EXPECT_FALSE(StopOnSignal::Requested());
  {
    const StopOnSignal inner;
    std::raise(SIGINT);
    EXPECT_TRUE(StopOnSignal::Requested());
  }
  const StopOnSignal next;  // A search behind the one that was stopped.
  EXPECT_TRUE(StopOnSignal::Requested());
}

TEST(StopOnSignal, ANewOneHasNotBeenAsked) {
  {
    const StopOnSignal first;
    std::raise(SIGTERM);
  }
  const StopOnSignal second;
  EXPECT_FALSE(StopOnSignal::Requested());
}

/// Runs `stagecraft ARGUMENTS`, which must take long, and sends it SIGINT once it listens: when the
/// process is no longer the shell that starts it, which may catch signals of its own, and the
/// kernel says that it catches signal 2, whose bit in the last digit of the mask is 2.
Outcome Interrupted(const std::string& arguments) {
  return Shell("stagecraft " + arguments +
               " & pid=$!; "
               "until grep -qx stagecraft /proc/$pid/comm && "
               "grep -q '^SigCgt:.*[2367abef]$' /proc/$pid/status; do "
               "grep -q '^State:.Z' /proc/$pid/status && break; done; "
               "kill -INT $pid; wait $pid");
}

TEST(Interrupt, EndsAComparisonWithTheRowsThatThereAre) {
  // Searches of more than ten seconds in all; the signal comes within the first of them.
  std::string names = "gpipe";
  for (int i = 0; i < 200; ++i) {
    names += " zb-auto";
  }

  const Outcome outcome = Interrupted(
      "compare " + names +
      " 1f1b -p 8 -m 512 -n 1 --limit 1.5p --forward 9ms,11ms,13ms,10ms,12ms,9ms,11ms,13ms "
      "--backward 20ms --latency 2ms");

  // The rows that are there are printed, and the others are named.
  EXPECT_EQ(outcome.code, 3) << outcome.err;
  EXPECT_NE(outcome.err.find("error: stopped before the end; not run: "), std::string::npos)
      << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with("zb-auto, 1f1b\n")) << outcome.err;
  EXPECT_EQ(outcome.out.find("| 1f1b"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace stagecraft
