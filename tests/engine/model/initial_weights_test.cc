#include "engine/model/initial_weights.h"

#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "engine/model/random.h"

namespace stagecraft {
namespace {

using enum LayerKind;

Model Cut(bool in_two) {
  const std::vector<Layer> first = {MakeLayer(kLinear, {20, 30}), MakeLayer(kRelu)};
  const std::vector<Layer> second = {MakeLayer(kLinear, {30, 10}), MakeLayer(kLayerNorm, {10})};
  Model model{"m", {first}};
  if (in_two) {
    model.stages.push_back(second);
  } else {
    model.stages[0].insert(model.stages[0].end(), second.begin(), second.end());
  }
  return model;
}

template <typename T>
std::vector<T> Weights(const Model& model, std::int32_t stage, std::uint64_t seed,
                       ElementType type) {
  std::vector<T> weights(static_cast<std::size_t>(LayoutOf(model, stage).elements), T{7});
  FillInitialWeights(model, stage, seed, type, reinterpret_cast<std::byte*>(weights.data()));
  return weights;
}

/// Of the parameter of that name.
std::vector<float> Part(const Model& model, std::int32_t stage, std::size_t parameter) {
  const std::vector<float> all = Weights<float>(model, stage, 3, ElementType::kFloat32);
  const PlacedParameter placed = LayoutOf(model, stage).parameters[parameter];
  const auto begin = all.begin() + placed.offset;
  return {begin, begin + Elements(placed.shape)};
}

TEST(InitialWeights, DoNotDependOnTheCut) {
  EXPECT_EQ(Part(Cut(true), 0, 0), Part(Cut(false), 0, 0));
  EXPECT_EQ(Part(Cut(true), 1, 0), Part(Cut(false), 0, 2));
  EXPECT_EQ(Part(Cut(true), 1, 1), Part(Cut(false), 0, 3));
}

TEST(InitialWeights, DependOnSeedAndLayer) {
  EXPECT_NE(Weights<float>(Cut(true), 0, 3, ElementType::kFloat32),
            Weights<float>(Cut(true), 0, 4, ElementType::kFloat32));
  EXPECT_NE(Part(Cut(true), 0, 1), Part(Cut(true), 1, 1));
}

TEST(InitialWeights, AreTheSameNumbersInBothTypes) {
  const std::vector<float> in_float = Weights<float>(Cut(true), 0, 3, ElementType::kFloat32);
  const std::vector<double> in_double = Weights<double>(Cut(true), 0, 3, ElementType::kFloat64);
  for (std::size_t i = 0; i < in_float.size(); ++i) {
    EXPECT_EQ(in_float[i], static_cast<float>(in_double[i]));
  }
}

TEST(InitialWeights, KeepTheirBoundsAndGapsAreZero) {
  double largest = 0;
  for (const float weight : Part(Cut(true), 0, 0)) {
    largest = std::max(largest, std::abs(static_cast<double>(weight)));
  }
  EXPECT_LE(largest, 1 / std::sqrt(20.0));
  EXPECT_GT(largest, 0.95 / std::sqrt(20.0));
  EXPECT_EQ(Weights<float>(Cut(true), 0, 3, ElementType::kFloat32).back(), 0.0F);
  EXPECT_EQ(Part(Cut(true), 1, 2), std::vector<float>(10, 1.0F));
}

TEST(Random, IsTheSameEverywhere) {
  // The first numbers of splitmix64 from 0, as its authors' code gives them.
  Random random(0);
  EXPECT_EQ(random.Next(), 0xe220a8397b1dcdafU);
  EXPECT_EQ(random.Next(), 0x6e789e6aa1b965f4U);
  EXPECT_EQ(random.Next(), 0x06c45d188009454fU);
}

TEST(Random, DrawsWithinItsRanges) {
  Random random(1);
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 10000; ++i) {
    const double uniform = random.Uniform();
    EXPECT_GE(uniform, 0);
    EXPECT_LT(uniform, 1);
    EXPECT_LT(random.Below(3), 3);
    const double normal = random.Normal();
    sum += normal;
    squares += normal * normal;
  }
  EXPECT_NEAR(sum / 10000, 0, 0.05);
  EXPECT_NEAR(squares / 10000, 1, 0.05);
}

TEST(Random, SeedsDependOnTheOrderOfTheirNumbers) {
  EXPECT_NE(MixSeed({1, 2}), MixSeed({2, 1}));
  EXPECT_NE(MixSeed({0}), MixSeed({0, 0}));
}

}  // namespace
}  // namespace stagecraft
