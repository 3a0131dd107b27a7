#include "traces/text_timeline.h"

#include <gtest/gtest.h>

#include "schedules/text.h"

namespace stagecraft {
namespace {

using std::chrono::milliseconds;

Schedule Parsed(std::string_view text) {
  return OrThrow(Parse(text, "test"));
}

Schedule TwoRanks() {
  return Parsed(R"(stagecraft schedule 1
shape ranks 2 stages 2 microbatches 2
place 0: 0
place 1: 1
rank 0 0F0@0 0F1@0 0B0@0 0S@0 0B1@1 0S@1
rank 1 1F0@0 1B0@0 1S@0 1F1@1 1B1@1 1S@1
)");
}

Span At(std::int64_t start, std::int64_t end) {
  return {milliseconds{start}, milliseconds{end}};
}

/// F 1 ms, B 2 ms, no time for updates.
Timeline TwoRanksTimeline() {
  Timeline timeline;
  timeline.spans = {At(0, 1), At(1, 2), At(4, 6), At(6, 6), At(7, 9), At(9, 9),
                    At(1, 2), At(2, 4), At(4, 4), At(4, 5), At(5, 7), At(7, 7)};
  return timeline;
}

TEST(RenderTimeline, DrawsAColumnPerCommonDivisor) {
  EXPECT_EQ(RenderTimeline(TwoRanks(), TwoRanksTimeline()),
            "one column = 1 ms\n"
            "rank 0 | F0 F1 .  .  B0--- .  B1---\n"
            "rank 1 | .  F0 B0--- F1 B1--- .  .\n");
}

TEST(RenderTimeline, WritesVersionsWhenAsked) {
  EXPECT_EQ(RenderTimeline(TwoRanks(), TwoRanksTimeline(), {.versions = true}),
            "one column = 1 ms\n"
            "rank 0 | F0@0 F1@0 .    .    B0@0----- .    B1@1-----\n"
            "rank 1 | .    F0@0 B0@0----- F1@1 B1@1----- .    .\n");
}

TEST(RenderTimeline, CutsWithANote) {
  EXPECT_EQ(RenderTimeline(TwoRanks(), TwoRanksTimeline(), {.max_columns = 5}),
            "one column = 1 ms\n"
            "rank 0 | F0 F1 .  .  .\n"
            "rank 1 | .  F0 B0--- F1\n"
            "(cut after 5 columns)\n");
}

// In columns of 2 ms, halves rounded up. Rank 0: F0 [0, 1) becomes [0, 1), F1 [1, 2) becomes
// [1, 1) and vanishes, B0 [4, 6) becomes [2, 3), B1 [7, 9) becomes [4, 5). Rank 1: F0 vanishes
// likewise, B0 [2, 4) becomes [1, 2), F1 [4, 5) becomes [2, 3), B1 [5, 7) becomes [3, 4).
TEST(RenderTimeline, RoundsEdgesToTheTickThatWasAskedForAndCountsWhatVanishes) {
  EXPECT_EQ(RenderTimeline(TwoRanks(), TwoRanksTimeline(), {.tick = milliseconds{2}}),
            "one column = 2 ms, edges rounded to the nearest column\n"
            "rank 0 | F0 .  B0 .  B1\n"
            "rank 1 | .  B0 F1 B1 .\n"
            "(not drawn: 2 ops shorter than a column)\n");
}

TEST(RenderTimeline, ChoosesARoundTickWhereNoDivisorIsLargeEnough) {
  Timeline timeline = TwoRanksTimeline();
  timeline.spans[4].end += Nanoseconds{1};
  timeline.spans[5] = {timeline.spans[4].end, timeline.spans[4].end};
  const std::string text = RenderTimeline(TwoRanks(), timeline);
  // The divisor is 1 ns, too small. Half the shortest compute op is 0.5 ms, but at least 50 columns
  // must come out: 9 ms / 120 = 75 us, rounded up to 100 us: 90 columns.
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "one column = 100 us, edges rounded to the nearest column");
}

TEST(RenderTimeline, SaysTheTickWithoutLoss) {
  Timeline timeline = TwoRanksTimeline();
  for (Span& span : timeline.spans) {
    span = {span.start * 3 / 2, span.end * 3 / 2};
  }
  const std::string text = RenderTimeline(TwoRanks(), timeline);
  EXPECT_EQ(text.substr(0, text.find('\n')), "one column = 1.5 ms");
}

TEST(RenderTimeline, DrawsUpdatesThatTakeTimeAndJoinsTheMembersOfACell) {
  const Schedule schedule = Parsed(R"(stagecraft schedule 1
shape ranks 1 stages 1 microbatches 2
place 0: 0
rank 0 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0
)");
  Timeline timeline;
  timeline.spans = {At(0, 1), At(1, 4), At(1, 4), At(4, 6), At(6, 7)};
  EXPECT_EQ(RenderTimeline(schedule, timeline),
            "one column = 1 ms\n"
            "rank 0 | F0 F1&B0--- B1--- S\n");
}

TEST(RenderTimeline, NamesTheStageWhereARankHoldsSeveral) {
  const Schedule schedule = Parsed(R"(stagecraft schedule 1
shape ranks 1 stages 2 microbatches 1
mode forward
place 0: 0 1
rank 0 0F0@0 1F0@0
)");
  Timeline timeline;
  timeline.spans = {At(0, 1), At(1, 2)};
  EXPECT_EQ(RenderTimeline(schedule, timeline), "one column = 1 ms\nrank 0 | 0F0 1F0\n");
}

// A tick of 1 ns over an hour would be 3.6e12 columns.
TEST(RenderTimeline, NeverDrawsMoreThan20000Columns) {
  Timeline timeline = TwoRanksTimeline();
  for (Span& span : timeline.spans) {
    span = {span.start * 300'000, span.end * 300'000};
  }
  const std::string text = RenderTimeline(TwoRanks(), timeline, {.tick = Nanoseconds{1}});
  EXPECT_LT(text.size(), 1000U);
  EXPECT_NE(text.find("(cut after 20000 columns)"), std::string::npos);
}

TEST(RenderTimeline, OfNoTimeAtAllIsAnEmptyGrid) {
  Timeline timeline;
  timeline.spans.resize(12);
  EXPECT_EQ(RenderTimeline(TwoRanks(), timeline), "one column = 1 ns\nrank 0 |\nrank 1 |\n");
}

}  // namespace
}  // namespace stagecraft
