#include "schedules/visible_text.h"

#include <string>

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(Visible, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(Visible("a\x1b[31mb\rc\a\n\t\x7f"), R"(a\x1b[31mb\rc\x07\n\t\x7f)");
  EXPECT_EQ(Visible(std::string_view("a\0b", 3)), R"(a\x00b)");
  EXPECT_EQ(Visible("\xc2\x9b"
                    "31m"),
            R"(\u009b31m)");  // CSI, of the C1 controls.
  EXPECT_EQ(Visible("\xe2\x80\xae"
                    "gnp"),
            R"(\u202egnp)");  // Right to left from here.
  EXPECT_EQ(Visible("\xef\xbb\xbf"
                    "a"),
            R"(\ufeffa)");                                  // Byte order mark.
  EXPECT_EQ(Visible("\xf3\xa0\x81\x81"), R"(\U000e0041)");  // A tag: invisible.
}

TEST(Visible, LeavesPrintableUtf8) {
  for (const char* const text : {"plain ~", "Größe µs", "模型", "🙂", "a\\x1b"}) {
    EXPECT_EQ(Visible(text), text);
  }
}

TEST(Visible, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(Visible("a\xff"
                    "b"),
            R"(a\xffb)");
  EXPECT_EQ(Visible("\xc3"), R"(\xc3)");  // Cut off.
  EXPECT_EQ(Visible("\xc3("), R"(\xc3()");
  EXPECT_EQ(Visible("\xc0\x8a"), R"(\xc0\x8a)");                  // A line break, too long.
  EXPECT_EQ(Visible("\xed\xa0\x80"), R"(\xed\xa0\x80)");          // Half of a pair.
  EXPECT_EQ(Visible("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)");  // Behind the last.
}

TEST(Visible, TwiceIsLikeOnce) {
  std::string all;
  for (int c = 0; c < 256; ++c) {
    all += static_cast<char>(c);
  }
  const std::string once = Visible(all);
  EXPECT_EQ(Visible(once), once);
  EXPECT_EQ(VisibleLines(once), once);
  for (const char c : once) {
    EXPECT_TRUE(c >= ' ' && c <= '~');
  }
}

TEST(Visible, CutsBetweenCharacters) {
  EXPECT_EQ(Visible("abc", 3), "abc");
  EXPECT_EQ(Visible("abcd", 3), "abc...");
  EXPECT_EQ(Visible("aµµ", 4), "aµ...");
  EXPECT_EQ(Visible("\x1b\x1b", 5), R"(\x1b...)");
}

TEST(VisibleLines, KeepsLineBreaksOnly) {
  EXPECT_EQ(VisibleLines("a\nb\r\n"), "a\nb\\r\n");
}

TEST(CaretExcerpt, StandsUnderTheCharacterHoweverItIsShown) {
  EXPECT_EQ(CaretExcerpt("ab c", 3), "  ab c\n     ^");
  EXPECT_EQ(CaretExcerpt("µ\x1b c", 4), "  µ\\x1b c\n        ^");  // 2 bytes, 1, blank; 1 + 4 + 1.
  EXPECT_EQ(CaretExcerpt("\tc", 1), "   c\n   ^");
  EXPECT_EQ(CaretExcerpt("abc", 7), "  abc\n     ^");
}

TEST(CaretExcerpt, ShowsAPartOfALongLine) {
  const std::string line(200, 'x');
  EXPECT_EQ(CaretExcerpt(line, 100),
            "  ..." + std::string(90, 'x') + "...\n" + std::string(55, ' ') + "^");
}

}  // namespace
}  // namespace stagecraft
