#include "engine/optimizer/optimizer.h"

#include <functional>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

std::string FaultsOf(const std::function<void(OptimizerOptions&)>& change) {
  OptimizerOptions options;
  change(options);
  return test::Texts(CheckOptimizer(options));
}

TEST(CheckOptimizer, AcceptsTheStandards) {
  for (const OptimizerKind kind :
       {OptimizerKind::kSgd, OptimizerKind::kAdam, OptimizerKind::kAdamW}) {
    EXPECT_EQ(FaultsOf([&](OptimizerOptions& options) { options.kind = kind; }), "");
  }
}

TEST(CheckOptimizer, NamesTheFlagOfWhatMakesNoSense) {
  using Options = OptimizerOptions;
  EXPECT_EQ(FaultsOf([](Options& options) { options.momentum = 1; }),
            "--momentum: error: expected a momentum in [0, 1), got 1\n");
  EXPECT_EQ(FaultsOf([](Options& options) {
              options.kind = OptimizerKind::kAdam;
              options.momentum = 0.9;
            }),
            "--momentum: error: is of sgd; adam and adamw take --betas\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.nesterov = true; }),
            "--nesterov: error: expected sgd with a momentum and no dampening\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.weight_decay = -1; }),
            "--weight-decay: error: expected at least 0, got -1\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.beta2 = 1; }),
            "--betas: error: expected the second in [0, 1), got 1\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.epsilon = 0; }),
            "--eps: error: expected a number above 0, got 0\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.prediction_decay = true; }),
            "--prediction-decay: error: is of adamw, whose decay is not in its gradient\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.constant_correction = true; }),
            "--xpipe-adam: error: is of adam and adamw\n");
}

TEST(OptimizerFields, SayWhereTheyChangeNothing) {
  const auto idle = [](bool predicts, const std::function<void(OptimizerOptions&)>& change) {
    OptimizerOptions options;
    change(options);
    std::string flags;
    for (const OptimizerField& field : OptimizerFields()) {
      flags += field.idle(options, predicts).empty() ? "" : std::string(field.flag) + " ";
    }
    return flags;
  };
  using Options = OptimizerOptions;
  EXPECT_EQ(idle(true, [](Options& o) { o.momentum = 0.9, o.weight_decay = 0.1; }),
            "--betas --betas --eps --xpipe-adam ");
  EXPECT_EQ(idle(true, [](Options& o) { o.kind = OptimizerKind::kAdamW, o.weight_decay = 0.1; }),
            "--momentum --dampening --nesterov ");
  EXPECT_EQ(idle(false, [](Options& o) { o.kind = OptimizerKind::kAdamW, o.weight_decay = 0.1; }),
            "--momentum --dampening --nesterov --displacement --prediction-decay --xpipe-adam ");
  EXPECT_EQ(idle(true, [](Options&) {}),
            "--dampening --nesterov --betas --betas --eps --displacement --prediction-decay "
            "--xpipe-adam ");
}

}  // namespace
}  // namespace stagecraft
