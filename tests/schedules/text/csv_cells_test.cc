#include "schedules/text/csv_cells.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows Read(std::string_view text) {
  const Result<Rows> rows = ReadCsv(text, "a.csv");
  EXPECT_TRUE(rows) << test::Texts(rows.diagnostics);
  return rows ? *rows.value : Rows{};
}

TEST(ReadCsv, CutsRowsIntoCells) {
  EXPECT_EQ(Read(""), Rows{});
  EXPECT_EQ(Read("a,b\nc"), (Rows{{"a", "b"}, {"c"}}));
  EXPECT_EQ(Read("a,,\n\n b "), (Rows{{"a", "", ""}, {""}, {" b "}}));
  EXPECT_EQ(Read("a,\n"), (Rows{{"a", ""}}));
  EXPECT_EQ(Read("a,"), (Rows{{"a", ""}}));
}

TEST(ReadCsv, LinesMayEndAsOnWindows) {
  EXPECT_EQ(Read("a,b\r\n\"c\"\r\nd\r"), (Rows{{"a", "b"}, {"c"}, {"d"}}));
  EXPECT_EQ(Read("a\r,b\n"), (Rows{{"a\r", "b"}}));  // That one ends nothing.
}

TEST(ReadCsv, AByteOrderMarkIsNoText) {
  EXPECT_EQ(Read("\xef\xbb\xbf"
                 "a,b\n"),
            (Rows{{"a", "b"}}));
  EXPECT_EQ(Read("\xef\xbb\xbf\"a\",b\n"), (Rows{{"a", "b"}}));
  EXPECT_EQ(Read("\xef\xbb\xbf"), Rows{});
}

TEST(ReadCsv, QuotedCellsHoldCommasQuotesAndLines) {
  EXPECT_EQ(Read("\"a,b\",\"c\"\"d\",\"\"\n\"e\nf\",g"),
            (Rows{{"a,b", "c\"d", ""}, {"e\nf", "g"}}));
  EXPECT_EQ(Read("a\"b,c\n"), (Rows{{"a\"b", "c"}}));  // Only a quote in front quotes.
}

TEST(ReadCsv, SaysWhereAQuoteIsWrong) {
  EXPECT_EQ(test::Texts(ReadCsv("a\nb,\"c\nd", "a.csv").diagnostics),
            "a.csv:2:3: error: expected a closing '\"'\n"
            "  b,\"c\n"
            "    ^\n");
  EXPECT_EQ(test::Texts(ReadCsv("\"a\"b\n", "a.csv").diagnostics),
            "a.csv:1:4: error: expected a comma or the end of the line behind the closing '\"'\n"
            "  \"a\"b\n"
            "     ^\n");
}

}  // namespace
}  // namespace stagecraft
