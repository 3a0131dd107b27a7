#include "engine/model/model.h"

#include <gtest/gtest.h>

#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

using enum LayerKind;

Model TwoStages() {
  return {"small",
          {{MakeLayer(kLinear, {3, 5}), MakeLayer(kRelu)},
           {MakeResidual({MakeLayer(kLinear, {5, 5})}), MakeLayer(kLinear, {5, 2})}}};
}

TEST(Model, ParametersOfAStageLieInOneBufferAligned) {
  const StageLayout layout = LayoutOf(TwoStages(), 1);
  ASSERT_EQ(layout.parameters.size(), 4U);
  EXPECT_EQ(layout.parameters[0].name, "stage1.0.0.weight");
  EXPECT_EQ(layout.parameters[0].offset, 0);
  EXPECT_EQ(layout.parameters[1].name, "stage1.0.0.bias");
  EXPECT_EQ(layout.parameters[1].offset, 32);  // 25, rounded up to a multiple of 16.
  EXPECT_EQ(layout.parameters[2].name, "stage1.1.weight");
  EXPECT_EQ(layout.parameters[2].offset, 48);
  EXPECT_EQ(layout.elements, 48 + 16 + 16);
}

TEST(Model, CountsWithoutGaps) {
  EXPECT_EQ(ParameterCount(TwoStages()), 3 * 5 + 5 + 5 * 5 + 5 + 5 * 2 + 2);
}

TEST(Model, LayersCountOverAllStages) {
  EXPECT_EQ(FirstLayerOf(TwoStages(), 0), 0);
  EXPECT_EQ(FirstLayerOf(TwoStages(), 1), 2);
}

TEST(Model, ShapesAtTheBoundaries) {
  EXPECT_EQ(StageInputs(TwoStages(), {3}), (std::vector<TensorShape>{{3}, {5}, {2}}));
}

TEST(Model, ALayerThatDoesNotFitIsNamedWithItsPlace) {
  Model model = TwoStages();
  model.stages[1][1] = MakeLayer(kLinear, {6, 2});
  try {
    StageInputs(model, {3});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "stage 1, layer 1: linear: expected a last extent of 6 (in), got [1, 5]");
  }
}

}  // namespace
}  // namespace stagecraft
