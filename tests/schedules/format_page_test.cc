#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schedules/op.h"
#include "schedules/text.h"
#include "schedules/verify.h"
#include "tests/support/schedule_builder.h"

// The page `schedules/format.md` against the parser, the table of ops and the rules.

namespace stagecraft {
namespace {

using testing::HasSubstr;

std::string Page() {
  std::ostringstream text;
  text << std::ifstream(STAGECRAFT_SOURCE_DIR "/schedules/format.md").rdbuf();
  return text.str();
}

/// The blocks between "```sched" and "```".
std::vector<std::string> Examples(const std::string& page) {
  const std::string begin = "```sched\n";
  std::vector<std::string> examples;
  for (std::size_t at = page.find(begin); at != std::string::npos; at = page.find(begin, at)) {
    at += begin.size();
    examples.push_back(page.substr(at, page.find("```", at) - at));
  }
  return examples;
}

TEST(FormatPage, ItsExamplesAreRight) {
  const std::vector<std::string> examples = Examples(Page());
  ASSERT_EQ(examples.size(), 3U);
  for (const std::string& example : examples) {
    const Result<Schedule> schedule = Parse(example, "example");
    ASSERT_TRUE(schedule) << test::Texts(schedule.diagnostics);
    EXPECT_EQ(test::Texts(Verify(*schedule.value)), "") << example;
    EXPECT_EQ(test::Texts(VersionWarnings(*schedule.value)), "") << example;
  }
}

TEST(FormatPage, ItsExamplesHaveEveryKeyword) {
  std::string all;
  for (const std::string& example : Examples(Page())) {
    all += "\n" + example;
  }
  for (const std::string_view keyword : kTextKeywords) {
    if (keyword != "source") {
      EXPECT_THAT(all, HasSubstr("\n" + std::string(keyword) + " "));
    }
  }
}

TEST(FormatPage, HasEveryKeywordEveryOpAndEveryRule) {
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr(kTextHeader));
  for (const std::string_view keyword : kTextKeywords) {
    EXPECT_THAT(page, HasSubstr("| `" + std::string(keyword) + "` |"));
    EXPECT_THAT(page, HasSubstr("\"" + std::string(keyword) + "\" "));
  }
  for (const OpTraits& traits : AllOpTraits()) {
    EXPECT_THAT(page, HasSubstr("| `" + std::string(traits.text) + "` |"));
  }
  for (const Rule& rule : Rules()) {
    EXPECT_THAT(
        page, HasSubstr("| `" + std::string(rule.id) + "` | " + std::string(rule.sentence) + " |"));
  }
}

TEST(FormatPage, ItsKeywordsAreThoseOfTheParser) {
  for (const std::string_view keyword : kTextKeywords) {
    const std::string text = std::string(kTextHeader) + "\n" + std::string(keyword) + "\n";
    EXPECT_THAT(test::Texts(Parse(text, "file").diagnostics),
                testing::Not(HasSubstr("expected name, source")))
        << keyword;
  }
  EXPECT_THAT(test::Texts(Parse(std::string(kTextHeader) + "\nlength 3\n", "file").diagnostics),
              HasSubstr("expected name, source, shape, mode, place or rank, got 'length'"));
}

TEST(FormatPage, ItsOpsAreRead) {
  const std::string page = Page();
  std::size_t count = 0;
  for (const OpTraits& traits : AllOpTraits()) {
    const std::string row = "| `" + std::string(traits.text) + "` | `";
    const std::size_t at = page.find(row) + row.size();
    const std::string example = page.substr(at, page.find('`', at) - at);
    const std::string text = std::string(kTextHeader) +
                             "\nshape ranks 1 stages 2 microbatches 4\nplace 0: 0 1\nrank 0 " +
                             example + "\n";
    const Result<Schedule> schedule = Parse(text, "file");
    ASSERT_TRUE(schedule) << example << test::Texts(schedule.diagnostics);
    EXPECT_EQ(schedule.value->programs.front().front().kind, traits.kind);
    ++count;
  }
  EXPECT_EQ(count, static_cast<std::size_t>(kOpKinds));
}

}  // namespace
}  // namespace stagecraft
