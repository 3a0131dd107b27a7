#include "engine/model/built_in_models.h"

#include <gtest/gtest.h>

#include "engine/model/cut.h"

namespace stagecraft {
namespace {

Model Whole(const std::vector<std::vector<Layer>>& units) {
  return CutModel(units, {}, "whole");
}

TEST(BuiltInModels, MlpIsLinearLayersWithRelu) {
  const auto units =
      MlpUnits({.inputs = 64, .width = 32, .depth = 3, .outputs = 10, .flattens = true});
  EXPECT_EQ(units.size(), 4U);
  EXPECT_EQ(StageInputs(Whole(units), {1, 8, 8}).back(), (TensorShape{10}));
  EXPECT_EQ(ParameterCount(Whole(units)), (64 * 32 + 32) + 2 * (32 * 32 + 32) + (32 * 10 + 10));
}

TEST(BuiltInModels, ConvnetTakesImagesOfAnySize) {
  const auto units = ConvnetUnits({.channels = 3, .width = 4, .blocks = 2, .classes = 5});
  EXPECT_EQ(units.size(), 4U);
  for (const std::int64_t size : {5, 16}) {
    EXPECT_EQ(StageInputs(Whole(units), {3, size, size}).back(), (TensorShape{5}));
  }
  // Convolutions without bias, each with a batch norm of two per channel.
  EXPECT_EQ(ParameterCount(Whole(units)), (3 * 4 * 9 + 8) + 4 * (4 * 4 * 9 + 8) + (4 * 5 + 5));
}

TEST(BuiltInModels, GptGivesEachPositionTheChancesOfEachToken) {
  const auto units = GptUnits({.vocabulary = 11, .length = 6, .width = 8, .heads = 2, .blocks = 3});
  EXPECT_EQ(units.size(), 5U);
  EXPECT_EQ(StageInputs(Whole(units), {6}).back(), (TensorShape{6, 11}));
  const std::int64_t block = 2 * 16 + (24 * 8 + 24 + 8 * 8 + 8) + (32 * 8 + 32 + 8 * 32 + 8);
  EXPECT_EQ(ParameterCount(Whole(units)), 11 * 8 + 6 * 8 + 3 * block + 16 + (8 * 11 + 11));
}

}  // namespace
}  // namespace stagecraft
