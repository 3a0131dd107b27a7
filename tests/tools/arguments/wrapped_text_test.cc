#include "tools/arguments/wrapped_text.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(WrappedText, BreaksBetweenWords) {
  EXPECT_EQ(Wrapped("", 10), "");
  EXPECT_EQ(Wrapped("one two three", 13), "one two three");
  EXPECT_EQ(Wrapped("one two three", 12), "one two\nthree");
  EXPECT_EQ(Wrapped("  one   two ", 20), "one two");
}

TEST(WrappedText, CountsTheIndentationOfEveryLine) {
  EXPECT_EQ(Wrapped("one two three", 9, 4), "one\n    two\n    three");
  EXPECT_EQ(Wrapped("one two three", 11, 4), "one two\n    three");
}

TEST(WrappedText, ALongWordStandsAlone) {
  EXPECT_EQ(Wrapped("a incomprehensible b", 5), "a\nincomprehensible\nb");
}

TEST(WrappedText, CountsCharactersNotBytes) {
  EXPECT_EQ(Wrapped("\u00b5s \u00b5s", 5), "\u00b5s \u00b5s");
}

TEST(WrappedText, ACommandGoesOnBehindABackslash) {
  EXPECT_EQ(WrappedCommand("stagecraft show 1f1b", 40), "  stagecraft show 1f1b");
  EXPECT_EQ(WrappedCommand("  stagecraft show 1f1b -p 4", 22),
            "  stagecraft show \\\n      1f1b -p 4");
}

TEST(WrappedText, ProseHasParagraphsAndCommands) {
  EXPECT_EQ(WrappedProse("one two\nthree\n\nExamples:\n  show a \\\n      b\n  show c\n", 80),
            "one two three\n\nExamples:\n  show a b\n  show c\n");
  EXPECT_EQ(WrappedProse("", 80), "");
}

}  // namespace
}  // namespace stagecraft
