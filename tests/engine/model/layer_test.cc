#include "engine/model/layer.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

using enum LayerKind;

std::string Names(const std::vector<Parameter>& parameters) {
  std::string text;
  for (const Parameter& parameter : parameters) {
    text += parameter.name + " [";
    for (const std::int64_t extent : parameter.shape) {
      text += std::to_string(extent) + ",";
    }
    text.back() = ']';
    text += "; ";
  }
  return text;
}

std::string FaultOf(const Layer& layer, const TensorShape& input) {
  try {
    OutputShape(layer, input);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Layer, ParametersAreNamedAndShapedAsInPyTorch) {
  EXPECT_EQ(Names(ParametersOf(MakeLayer(kLinear, {5, 4}))), "weight [4,5]; bias [4]; ");
  EXPECT_EQ(Names(ParametersOf(MakeLayer(kLinear, {5, 4, 0}))), "weight [4,5]; ");
  EXPECT_EQ(Names(ParametersOf(MakeLayer(kConv2d, {2, 3, 5}))), "weight [3,2,5,5]; bias [3]; ");
  EXPECT_EQ(Names(ParametersOf(MakeLayer(kBatchNorm2d, {3}))), "weight [3]; bias [3]; ");
  EXPECT_EQ(Names(BuffersOf(MakeLayer(kBatchNorm2d, {3}))), "running_mean [3]; running_var [3]; ");
  EXPECT_EQ(Names(ParametersOf(MakeLayer(kEmbedding, {7, 4}))), "weight [7,4]; ");
  EXPECT_EQ(Names(ParametersOf(MakeLayer(kAttention, {6, 2}))),
            "in_proj_weight [18,6]; in_proj_bias [18]; out_proj.weight [6,6]; out_proj.bias [6]; ");
  EXPECT_EQ(Names(ParametersOf(MakeLayer(kLstm, {5, 4}))),
            "weight_ih_l0 [16,5]; weight_hh_l0 [16,4]; bias_ih_l0 [16]; bias_hh_l0 [16]; ");
  const Layer residual = MakeResidual({MakeLayer(kRelu), MakeLayer(kLinear, {4, 4})});
  EXPECT_EQ(Names(ParametersOf(residual)), "1.weight [4,4]; 1.bias [4]; ");
}

TEST(Layer, LinearBeginsUniformlyWithinOneOverTheRootOfItsInputs) {
  for (const Parameter& parameter : ParametersOf(MakeLayer(kLinear, {16, 4}))) {
    EXPECT_EQ(parameter.initialiser, (Initialiser{Initialiser::Kind::kUniform, 0.25}));
  }
}

TEST(Layer, ShapesFollowFromTheInput) {
  EXPECT_EQ(OutputShape(MakeLayer(kLinear, {5, 4}), {2, 3, 5}), (TensorShape{2, 3, 4}));
  EXPECT_EQ(OutputShape(MakeLayer(kConv2d, {1, 3, 3, 2, 1}), {2, 1, 8, 7}),
            (TensorShape{2, 3, 4, 4}));  // floor((8 + 2 - 3) / 2) + 1, floor((7 + 2 - 3) / 2) + 1.
  EXPECT_EQ(OutputShape(MakeLayer(kFlatten), {2, 1, 8, 8}), (TensorShape{2, 64}));
  EXPECT_EQ(OutputShape(MakeLayer(kMeanPool2d), {2, 3, 8, 8}), (TensorShape{2, 3}));
  EXPECT_EQ(OutputShape(MakeLayer(kEmbedding, {7, 4}), {2, 5}), (TensorShape{2, 5, 4}));
  EXPECT_EQ(OutputShape(MakeLayer(kLstm, {5, 4}), {2, 6, 5}), (TensorShape{2, 6, 4}));
}

TEST(Layer, AnInputThatDoesNotFitIsNamed) {
  EXPECT_EQ(FaultOf(MakeLayer(kLinear, {16, 4}), {2, 32}),
            "linear: expected a last extent of 16 (in), got [2, 32]");
  EXPECT_EQ(FaultOf(MakeLayer(kConv2d, {3, 4, 3}), {2, 1, 8, 8}),
            "conv2d: expected 3 as extent 1 (in), got [2, 1, 8, 8]");
  EXPECT_EQ(FaultOf(MakeLayer(kConv2d, {1, 4, 9}), {2, 1, 8, 8}),
            "conv2d: expected at least 9 by 9 after padding, got [2, 1, 8, 8]");
  EXPECT_EQ(FaultOf(MakeLayer(kPosition, {4, 6}), {2, 5, 6}),
            "position: expected at most 4 positions (length), got [2, 5, 6]");
  EXPECT_EQ(FaultOf(MakeLayer(kAttention, {6, 4}), {2, 5, 6}),
            "attention: expected a dim that heads divides, got dim 6 and heads 4");
  EXPECT_EQ(FaultOf(MakeResidual({MakeLayer(kLinear, {6, 4})}), {2, 6}),
            "residual: expected layers that keep the shape; they make it [2, 4], got [2, 6]");
}

TEST(Layer, WorkIsThatOfItsProducts) {
  EXPECT_EQ(EstimatedWork(MakeLayer(kLinear, {5, 4}), {2, 3, 5}), 2 * 3 * 5 * 4);
  EXPECT_EQ(EstimatedWork(MakeLayer(kConv2d, {1, 3, 3, 1, 1}), {2, 1, 8, 8}),
            2 * 8 * 8 * (3 * 1 * 3 * 3));
  EXPECT_EQ(EstimatedWork(MakeLayer(kRelu), {2, 5}), 10);
}

TEST(Layer, EveryKindHasItsRowInTheTable) {
  for (const LayerTraits& traits : AllLayerTraits()) {
    EXPECT_EQ(&TraitsOf(traits.kind), &traits);
  }
}

}  // namespace
}  // namespace stagecraft
