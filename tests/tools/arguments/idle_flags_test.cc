#include "tools/arguments/idle_flags.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// The flags that change nothing, in order.
std::string Idle(const std::vector<IdleFlag>& flags) {
  std::string names;
  for (const IdleFlag& flag : flags) {
    names += flag.reason.empty() ? "" : flag.flag + " ";
  }
  return names;
}

TEST(IdleFlags, OfModelAndData) {
  EXPECT_EQ(Idle(FlagsOfModel("gpt", false, "tokens")), "");
  EXPECT_EQ(Idle(FlagsOfModel("mlp", false, "classes")), "--heads --length --vocabulary ");
  EXPECT_EQ(Idle(FlagsOfModel("mlp", false, "digits")), "--heads --samples --length --vocabulary ");
  EXPECT_EQ(Idle(FlagsOfModel("./m.json", true, "d.safetensors")),
            "--width --depth --heads --cut --samples --length --vocabulary --microbatch-size ");
}

TEST(IdleFlags, PredictionsAreThoseOfLaterUpdates) {
  EXPECT_TRUE(PredictsUpdates(test::Make("pipeoptim", {.ranks = 2, .microbatches = 4})));
  EXPECT_FALSE(PredictsUpdates(test::Make("pipemare", {.ranks = 2, .microbatches = 4})));  // Back.
  EXPECT_FALSE(PredictsUpdates(test::Make("1f1b", {.ranks = 2, .microbatches = 4})));
}

TEST(IdleFlags, OnlyThoseThatWereGivenAreNamedAndOnce) {
  CLI::App app;
  std::string text;
  app.add_option("--betas", text);
  app.add_option("--eps", text);
  app.parse(std::string("--betas 1,2"));
  EXPECT_EQ(test::Texts(WarnOfIdle(app, FlagsOfOptimizer({}, true))),
            "--betas: warning: changes nothing here: is of adam and adamw\n");
}

}  // namespace
}  // namespace stagecraft
