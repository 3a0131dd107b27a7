#include "engine/optimizer/learning_rate.h"

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

LearningRate Parse(const char* rates, const char* shape = "constant", std::int64_t warm_up = 0) {
  return OrThrow(ParseLearningRate(rates, shape, warm_up));
}

TEST(LearningRate, AListHoldsOnToItsLast) {
  const LearningRate rate = Parse("0.1,0.05,0.01");
  EXPECT_EQ(rate.At(0), 0.1);
  EXPECT_EQ(rate.At(2), 0.01);
  EXPECT_EQ(rate.At(1000), 0.01);
}

TEST(LearningRate, StepsMultiply) {
  const LearningRate rate = Parse("0.8", "step:10,0.5");
  EXPECT_EQ(rate.At(9), 0.8);
  EXPECT_EQ(rate.At(10), 0.4);
  EXPECT_EQ(rate.At(29), 0.2);
}

TEST(LearningRate, ACosineFallsToItsFloor) {
  const LearningRate rate = Parse("1", "cosine:100,0.1");
  EXPECT_DOUBLE_EQ(rate.At(0), 1);
  EXPECT_DOUBLE_EQ(rate.At(50), 0.55);
  EXPECT_DOUBLE_EQ(rate.At(100), 0.1);
  EXPECT_DOUBLE_EQ(rate.At(1000), 0.1);
}

TEST(LearningRate, WarmUpRisesToTheRate) {
  const LearningRate rate = Parse("1", "constant", 4);
  EXPECT_EQ(rate.At(0), 0.25);
  EXPECT_EQ(rate.At(3), 1);
  EXPECT_EQ(rate.At(4), 1);
}

TEST(LearningRate, SaysWhatItExpects) {
  EXPECT_EQ(test::Texts(ParseLearningRate("0.1,x", "constant", 0).diagnostics),
            "rates: error: expected rates of at least 0, as in 0.1 or 0.1,0.05, got '0.1,x'\n");
  for (const char* shape : {"step", "step:10", "step:0,0.1", "cosine:", "cosine:5,0.1,2", "exp:3",
                            "step:10,inf", "cosine:-1"}) {
    EXPECT_EQ(test::Texts(ParseLearningRate("1", shape, 0).diagnostics),
              "shape: error: expected constant, step:EVERY,FACTOR or "
              "cosine:UPDATES[,FLOOR], got '" +
                  std::string(shape) + "'\n");
  }
  EXPECT_FALSE(ParseLearningRate("-1", "constant", 0));
  EXPECT_FALSE(ParseLearningRate("nan", "constant", 0));
  EXPECT_FALSE(ParseLearningRate("", "constant", 0));
}

}  // namespace
}  // namespace stagecraft
