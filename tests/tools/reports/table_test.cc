#include "tools/reports/table.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TextTable Example() {
  return {{{"approach", Align::kLeft}, {"bubble"}}, {{"gpipe", "27.3 %"}, {"a, \"b\"", "0"}}};
}

TEST(TextTable, MarkdownLinesUp) {
  EXPECT_EQ(ToMarkdown(Example()),
            "| approach | bubble |\n"
            "|:---------|-------:|\n"
            "| gpipe    | 27.3 % |\n"
            "| a, \"b\"   |      0 |\n");
}

TEST(TextTable, PlainTextHasNoBarsAndNoTrailingBlanks) {
  EXPECT_EQ(ToPlainText(Example()),
            "approach  bubble\n"
            "gpipe     27.3 %\n"
            "a, \"b\"         0\n");
}

TEST(TextTable, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(ToCsv(Example()),
            "approach,bubble\n"
            "gpipe,27.3 %\n"
            "\"a, \"\"b\"\"\",0\n");
  EXPECT_EQ(ToCsv({{{"a"}, {"b"}}, {{"", ""}}}), "a,b\n,\n");
}

// Names of files, and names within files, may be anything.
TEST(TextTable, ACellStaysACell) {
  const TextTable table{{{"a", Align::kLeft}, {"b"}}, {{"x|y\nz\x1b[31m", "1"}}};
  EXPECT_EQ(ToMarkdown(table),
            "| a               |   b |\n"
            "|:----------------|----:|\n"
            "| x\\|y\\nz\\x1b[31m |   1 |\n");
  EXPECT_EQ(ToPlainText(table),
            "a                 b\n"
            "x|y\\nz\\x1b[31m    1\n");
  EXPECT_EQ(ToCsv(table), "a,b\n\"x|y\nz\x1b[31m\",1\n");
}

TEST(TextTable, CountsCharactersNotBytes) {
  EXPECT_EQ(ToPlainText({{{"µµµ"}, {"x"}}, {{"a", "b"}}}),
            "µµµ    x\n"
            "  a    b\n");
}

}  // namespace
}  // namespace stagecraft
