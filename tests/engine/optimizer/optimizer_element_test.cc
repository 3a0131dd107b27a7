#include "engine/optimizer/optimizer_element.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/model/random.h"
#include "tests/engine/optimizer_cases.h"

namespace stagecraft {
namespace {

using test::OptimizerMemory;

/// Element by element, as a kernel of a GPU does it. Without a step only a prediction.
template <typename T>
void ByElements(const OptimizerOptions& options, OptimizerMemory<T>& memory,
                const StepNumbers* step, const PredictNumbers* prediction) {
  StepRule<T> step_rule;
  PredictRule<T> predict_rule;
  if (step != nullptr) {
    step_rule = StepRule<T>(options, *step);
  }
  if (prediction != nullptr) {
    predict_rule = step != nullptr ? PredictRule<T>(options, *prediction, *step)
                                   : PredictRule<T>(options, *prediction);
  }
  for (std::size_t i = 0; i < memory.weights.size(); ++i) {
    OptimizerElement<T> at;
    at.gradient = memory.gradient[i];
    at.velocity = memory.velocity[i];
    at.moment1 = memory.moment1[i];
    at.moment2 = memory.moment2[i];
    at.last = memory.last[i];
    at.difference = memory.difference[i];
    at.weight = memory.weights[i];
    if (step != nullptr) {
      StepElement(step_rule, step_rule.clip, at);
      at.weight = at.updated;
      memory.gradient[i] = at.gradient;
      memory.velocity[i] = at.velocity;
      memory.moment1[i] = at.moment1;
      memory.moment2[i] = at.moment2;
      memory.last[i] = at.last;
      memory.difference[i] = at.difference;
      memory.other[i] = at.updated;
    }
    if (prediction != nullptr) {
      PredictElement(predict_rule, at);
      memory.predicted[i] = at.predicted;
    }
  }
}

/// Buffers that an optimizer does not have stay as they were.
template <typename T>
void Restore(const OptimizerOptions& options, OptimizerMemory<T>& memory) {
  const OptimizerMemory<T> fresh;
  const OptimizerBuffers<T> has = memory.Buffers(options);
  memory.velocity = has.velocity == nullptr ? fresh.velocity : memory.velocity;
  memory.moment1 = has.moment1 == nullptr ? fresh.moment1 : memory.moment1;
  memory.moment2 = has.moment2 == nullptr ? fresh.moment2 : memory.moment2;
}

template <typename T>
void ElementsAreBlocks() {
  for (const test::OptimizerCase& each : test::OptimizerCases()) {
    OptimizerMemory<T> blocks;
    OptimizerMemory<T> elements;
    StepAndPredict<T>(each.options, blocks.Buffers(each.options), each.step, each.prediction,
                      {blocks.weights.data(), blocks.other.data(), blocks.predicted.data()});
    ByElements<T>(each.options, elements, &each.step, &each.prediction);
    Restore(each.options, elements);
    EXPECT_EQ(elements, blocks) << each.name;

    OptimizerMemory<T> stepped;
    elements = OptimizerMemory<T>();
    Step<T>(each.options, stepped.Buffers(each.options), each.step, stepped.weights.data(),
            stepped.other.data());
    ByElements<T>(each.options, elements, &each.step, nullptr);
    Restore(each.options, elements);
    EXPECT_EQ(elements, stepped) << each.name;

    OptimizerMemory<T> predicted;
    elements = OptimizerMemory<T>();
    Predict<T>(each.options, predicted.Buffers(each.options), each.prediction,
               predicted.weights.data(), predicted.predicted.data());
    ByElements<T>(each.options, elements, nullptr, &each.prediction);
    EXPECT_EQ(elements, predicted) << each.name;
  }
}

TEST(OptimizerElement, GivesTheBitsOfTheBlocksInFloat) {
  ElementsAreBlocks<float>();
}

TEST(OptimizerElement, GivesTheBitsOfTheBlocksInDouble) {
  ElementsAreBlocks<double>();
}

}  // namespace
}  // namespace stagecraft
