#include "engine/optimizer/optimizer.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schedules/names.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

std::string FaultsOf(const std::function<void(OptimizerOptions&)>& change) {
  OptimizerOptions options;
  change(options);
  return test::Texts(CheckOptimizer(options));
}

TEST(CheckOptimizer, AcceptsTheStandards) {
  for (const OptimizerTraits& optimizer : AllOptimizers()) {
    EXPECT_EQ(FaultsOf([&](OptimizerOptions& options) {
                options.kind = optimizer.kind;
                options.momentum = optimizer.usual_momentum;
              }),
              "");
  }
}

TEST(CheckOptimizer, NamesTheFieldThatMakesNoSense) {
  using Options = OptimizerOptions;
  EXPECT_EQ(FaultsOf([](Options& options) { options.momentum = 1; }),
            "momentum: error: expected a momentum in [0, 1), got 1\n");
  EXPECT_EQ(FaultsOf([](Options& options) {
              options.kind = OptimizerKind::kAdam;
              options.momentum = 0.9;
            }),
            "momentum: error: is of sgd; adam and adamw take betas\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.nesterov = true; }),
            "nesterov: error: expected sgd with a momentum and no dampening\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.weight_decay = -1; }),
            "weight_decay: error: expected at least 0, got -1\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.beta2 = 1; }),
            "beta2: error: expected the second in [0, 1), got 1\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.epsilon = 0; }),
            "epsilon: error: expected a number above 0, got 0\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.prediction_decay = true; }),
            "prediction_decay: error: is of adamw, whose decay is not in its gradient\n");
  EXPECT_EQ(FaultsOf([](Options& options) { options.constant_correction = true; }),
            "constant_correction: error: is of adam and adamw\n");
}

TEST(OptimizerFields, SayWhereTheyChangeNothing) {
  const auto idle = [](bool predicts, const std::function<void(OptimizerOptions&)>& change) {
    OptimizerOptions options;
    change(options);
    std::string names;
    for (const OptimizerField& field : OptimizerFields()) {
      names += field.idle(options, predicts).empty() ? "" : std::string(field.name) + " ";
    }
    return names;
  };
  using Options = OptimizerOptions;
  EXPECT_EQ(idle(true, [](Options& o) { o.momentum = 0.9, o.weight_decay = 0.1; }),
            "beta1 beta2 epsilon constant_correction ");
  EXPECT_EQ(idle(true, [](Options& o) { o.kind = OptimizerKind::kAdamW, o.weight_decay = 0.1; }),
            "momentum dampening nesterov ");
  EXPECT_EQ(idle(false, [](Options& o) { o.kind = OptimizerKind::kAdamW, o.weight_decay = 0.1; }),
            "momentum dampening nesterov displacement prediction_decay constant_correction ");
  EXPECT_EQ(
      idle(true, [](Options&) {}),
      "dampening nesterov beta1 beta2 epsilon displacement prediction_decay constant_correction ");
}

TEST(AllOptimizers, HaveARowEachInTheOrderOfTheEnum) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < AllOptimizers().size(); ++i) {
    const OptimizerTraits& optimizer = AllOptimizers()[i];
    EXPECT_EQ(static_cast<std::size_t>(optimizer.kind), i) << optimizer.name;
    EXPECT_EQ(&TraitsOf(optimizer.kind), &optimizer);
    EXPECT_EQ(ToString(optimizer.kind), optimizer.name);
    EXPECT_TRUE(names.insert(optimizer.name).second) << optimizer.name;
    EXPECT_GT(optimizer.usual_rate, 0) << optimizer.name;
    EXPECT_TRUE(optimizer.has_momentum || optimizer.usual_momentum == 0) << optimizer.name;
  }
  EXPECT_EQ(NamesOf(OptimizerKind()).size(), names.size());
}

TEST(AllOptimizers, KeepWhatTheirDirectionNeeds) {
  const auto kept = [](const OptimizerOptions& options, const PredictionNeeds& needs = {}) {
    std::string names;
    for (const OptimizerBuffer buffer : BuffersOf(options, needs)) {
      names += ToString(buffer) + " ";
    }
    return names;
  };
  OptimizerOptions sgd;
  EXPECT_EQ(kept(sgd), "");
  EXPECT_EQ(OptimizerBytes(sgd, 100), 100) << "the gradient";
  EXPECT_EQ(kept(sgd, {.forward = true, .backward = true}), "last_gradient weight_difference ");
  sgd.momentum = 0.9;
  EXPECT_EQ(kept(sgd, {.forward = true}), "momentum ");
  EXPECT_EQ(OptimizerBytes(sgd, 100), 200);
  sgd.displacement = Displacement::kNext;
  EXPECT_EQ(kept(sgd, {.forward = true}), "momentum last_gradient ");
  const OptimizerOptions adam{.kind = OptimizerKind::kAdam};
  EXPECT_EQ(kept(adam), "m v ");
  EXPECT_EQ(OptimizerBytes(adam, 100), 300);
}

/// The sources of `room` that contain `text`, from the project's root, sorted.
std::vector<std::string> SourcesWith(const std::string& room, const std::string& text) {
  namespace fs = std::filesystem;
  const fs::path root(STAGECRAFT_SOURCE_DIR);
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / room)) {
    if (!entry.is_regular_file()) {
      continue;
    }
    std::ifstream file(entry.path());
    const std::string source{std::istreambuf_iterator<char>(file), {}};
    if (source.find(text) != std::string::npos) {
      found.push_back(entry.path().lexically_relative(root).string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

// What engine/README.md says of adding an optimizer, as far as it can be counted: nothing but its
// row asks which optimizer it is, and nothing but the formulas asks along what it moves.
TEST(AllOptimizers, AreToldApartInTheirTableOnly) {
  const std::string here = "engine/optimizer/";
  EXPECT_THAT(SourcesWith("engine", "OptimizerKind::k"),
              testing::ElementsAre(here + "optimizer.cc", here + "optimizer.h"));
  EXPECT_THAT(SourcesWith("tools", "OptimizerKind::k"), testing::IsEmpty());
  EXPECT_THAT(SourcesWith("engine", "Direction::k"),
              testing::ElementsAre(here + "optimizer.cc", here + "optimizer.h",
                                   here + "optimizer_element.h", here + "optimizer_kernels.cc",
                                   here + "optimizer_rule.h"));
  EXPECT_THAT(SourcesWith("tools", "Direction::k"), testing::IsEmpty());
}

}  // namespace
}  // namespace stagecraft
