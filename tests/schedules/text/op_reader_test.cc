#include "schedules/text/op_reader.h"

#include <string>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(ReadOp, ReadsEveryKindAsItPrints) {
  for (const char* text : {"0F3@2", "0F3@2+3", "12B7@0-4", "0I3@2", "0W3@2", "0R3@2", "0S@2",
                           "0P@2+3", "0A@2", "0SEND_F3", "1RECV_F3", "1SEND_B0", "0RECV_B0"}) {
    const OpWord word = ReadOp(text);
    ASSERT_TRUE(word.op) << text << ": expected " << word.expected;
    std::string printed;
    AppendTo(printed, *word.op);
    EXPECT_EQ(printed, text);
  }
}

TEST(ReadOp, SaysWhatItExpectedAndWhere) {
  const struct {
    const char* text;
    const char* expected;
    std::size_t offset;
  } cases[] = {
      {"", "an op", 0},
      {"0F", "a micro-batch number after 'F'", 2},
      {"0F3", "'@' and the weight version that F reads", 3},
      {"0F3@2+0", "a horizon of -32767 to 32767, not 0", 5},
      {"0S@2x", "a blank after the op", 4},
  };
  for (const auto& [text, expected, offset] : cases) {
    const OpWord word = ReadOp(text);
    EXPECT_FALSE(word.op) << text;
    EXPECT_EQ(word.expected, expected) << text;
    EXPECT_EQ(word.offset, offset) << text;
  }
}

TEST(OpSuggestion, NamesTheNearestKindOnly) {
  EXPECT_EQ(OpSuggestion("0SENDF3"), "; did you mean '0SEND_F3'?");
  EXPECT_EQ(OpSuggestion("0F3@x"), "");  // The kind is not the fault.
  EXPECT_EQ(OpSuggestion("0F"), "");
}

// What a diagram shows lacks the stage: that of the rank, and often the version.
TEST(OpSuggestion, PutsTheStageInFront) {
  EXPECT_EQ(OpSuggestion("F0@0"), "; did you mean '0F0@0'?");
  EXPECT_EQ(OpSuggestion("B3@2+1", 4), "; did you mean '4B3@2+1'?");
  EXPECT_EQ(OpSuggestion("F3", 1), "; did you mean '1F3@0'?");
  EXPECT_EQ(OpSuggestion("f3@1"), "; did you mean '0F3@1'?");
  EXPECT_EQ(OpSuggestion("SEND_F3"), "; did you mean '0SEND_F3'?");
  EXPECT_EQ(OpSuggestion("S@1"), "; did you mean '0S@1'?");
  EXPECT_EQ(OpSuggestion("quux"), "");
  EXPECT_EQ(OpSuggestion("@0"), "");
}

TEST(ReadWholeNumber, TakesDigitsWithinThirtyTwoBitsOnly) {
  EXPECT_EQ(ReadWholeNumber("2147483647"), 2147483647);
  EXPECT_FALSE(ReadWholeNumber("2147483648"));
  EXPECT_FALSE(ReadWholeNumber("-1"));
  EXPECT_FALSE(ReadWholeNumber("1x"));
  EXPECT_FALSE(ReadWholeNumber(""));
}

}  // namespace
}  // namespace stagecraft
