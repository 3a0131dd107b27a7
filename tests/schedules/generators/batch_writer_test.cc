#include "schedules/generators/batch_writer.h"

#include <string>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

std::string Text(BatchWriter batch) {
  std::string text;
  for (const Op& op : batch.Take()) {
    text += op.joined ? "(" : "";
    text += ToString(op) + " ";
  }
  return text;
}

TEST(BatchWriter, TakesEachKindInTheOrderOfTheMicrobatches) {
  BatchWriter batch({{0, 0, 2}, {3, 4, 2}});
  batch.Forward(0);
  batch.Forward(1);
  batch.Forward(0);
  batch.BackwardInput(1);
  batch.Backward(0);
  batch.BackwardInput(0);
  EXPECT_TRUE(batch.HasPendingWeights());
  batch.BackwardWeight(0);
  batch.OldestBackwardWeight();
  EXPECT_FALSE(batch.HasPendingWeights());
  EXPECT_EQ(Text(batch), "0F0@0 3F4@0 0F1@0 3I4@0 0B0@0 0I1@0 0W1@0 3W4@0 ");
}

TEST(BatchWriter, LeavesOutWhatIsBehindTheLastMicrobatch) {
  BatchWriter batch({{0, 0, 1}});
  for (int k = 0; k < 2; ++k) {
    batch.Forward(0);
    batch.BackwardInput(0);
    batch.BackwardWeight(0);
  }
  batch.BackwardWeight(0);
  batch.OldestBackwardWeight();
  EXPECT_FALSE(batch.HasForward(0));
  EXPECT_FALSE(batch.HasBackward(0));
  EXPECT_EQ(Text(batch), "0F0@0 0I0@0 0W0@0 ");
}

TEST(BatchWriter, JoinsAPairOnlyIfBothAreThere) {
  BatchWriter batch({{0, 0, 1}, {1, 0, 2}});
  batch.ForwardAndBackward(0, 1, true);
  batch.ForwardAndBackward(0, 1, true);
  EXPECT_EQ(Text(batch), "(0F0@0 1B0@0 1B1@0 ");
}

}  // namespace
}  // namespace stagecraft
