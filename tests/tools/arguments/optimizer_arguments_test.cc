#include "tools/arguments/optimizer_arguments.h"

#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

/// The options that `flags` give, or what is wrong with them.
struct Parsed {
  OptimizerOptions options;
  std::string faults;
};

Parsed Parse(const std::string& flags) {
  CLI::App app;
  OptimizerArguments arguments;
  arguments.AddTo(app);
  app.parse(flags);
  try {
    const OptimizerOptions options = arguments.Options();
    static_cast<void>(arguments.Rate());
    return {options, ""};
  } catch (const CommandFailure& failure) {
    return {{}, test::Texts(failure.Diagnostics())};
  }
}

TEST(OptimizerArguments, ThereIsAFlagForEachField) {
  CLI::App app;
  OptimizerArguments arguments;
  arguments.AddTo(app);
  for (const OptimizerField& field : OptimizerFields()) {
    EXPECT_NE(app.get_option_no_throw(FlagOfOptimizer(field.name)), nullptr) << field.name;
  }
  EXPECT_NE(app.get_option_no_throw(FlagOfOptimizer("rates")), nullptr);
  EXPECT_NE(app.get_option_no_throw(FlagOfOptimizer("shape")), nullptr);
}

TEST(OptimizerArguments, EachOptimizerIsAChoiceThatBeginsWithItsUsualMomentum) {
  for (const OptimizerTraits& optimizer : AllOptimizers()) {
    const Parsed parsed = Parse("--optimizer " + std::string(optimizer.name));
    EXPECT_EQ(parsed.faults, "");
    EXPECT_EQ(parsed.options.kind, optimizer.kind);
    EXPECT_EQ(parsed.options.momentum, optimizer.usual_momentum);
  }
}

TEST(OptimizerArguments, FaultsOfTheLibraryNameFlags) {
  EXPECT_EQ(Parse("--optimizer adam --momentum 0.9 --betas 2,0.5 --eps 0").faults,
            "--momentum: error: is of sgd; adam and adamw take betas\n"
            "--betas: error: expected the first in [0, 1), got 2\n"
            "--eps: error: expected a number above 0, got 0\n");
  EXPECT_EQ(Parse("--weight-decay -1").faults,
            "--weight-decay: error: expected at least 0, got -1\n");
  EXPECT_EQ(Parse("--lr x").faults,
            "--lr: error: expected rates of at least 0, as in 0.1 or 0.1,0.05, got 'x'\n");
  EXPECT_EQ(Parse("--lr-schedule linear").faults,
            "--lr-schedule: error: expected constant, step:EVERY,FACTOR or "
            "cosine:UPDATES[,FLOOR], got 'linear'\n");
}

}  // namespace
}  // namespace stagecraft
