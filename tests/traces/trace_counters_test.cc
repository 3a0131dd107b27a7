#include "traces/trace_counters.h"

#include <gtest/gtest.h>

#include "schedules/text.h"

namespace stagecraft {
namespace {

std::string Text(const CounterSeries& series) {
  std::string text = series.name + " " + series.unit + ":";
  for (const CounterSample& sample : series.samples) {
    text += " " + std::to_string(sample.time.count()) + "=" + std::to_string(sample.value);
  }
  return text;
}

std::vector<std::string> Texts(const TraceCounters& counters, std::int32_t rank) {
  std::vector<std::string> texts;
  for (const CounterSeries& series : counters.Of(rank)) {
    texts.push_back(Text(series));
  }
  return texts;
}

Span At(std::int64_t start, std::int64_t end) {
  return {Nanoseconds{start}, Nanoseconds{end}};
}

/// Weights 100 bytes a copy, gradient and momentum 200, an activation set 10.
const std::vector<StageSizes> kSizes{
    {.activation_bytes = 10, .parameter_bytes = 100, .optimizer_bytes = 200}};

// One stage, two forwards before the first update, each with its own weights stashed: the second
// backward misses one update. Static bytes: two weight copies and 200.
//
//   time  0    10   20      40  42      62  64
//         | F0 | F1 |  B0   | S |  B1   | S |
TEST(TraceCounters, FollowEveryOpOfARank) {
  const Schedule schedule = OrThrow(Parse(R"(stagecraft schedule 1
shape ranks 1 stages 1 microbatches 2
place 0: 0
rank 0 0F0@0 0F1@0 0B0@0 0S@0 0B1@0 0S@1
)",
                                          "test"));

  Timeline timeline;
  timeline.spans = {At(0, 10), At(10, 20), At(20, 40), At(40, 42), At(42, 62), At(62, 64)};
  const TraceCounters counters(schedule, timeline, kSizes);

  EXPECT_EQ(Texts(counters, 0), (std::vector<std::string>{
                                    "memory bytes: 0=410 10=420 40=410 62=400 64=400",
                                    "activations sets: 0=1 10=2 40=1 62=0 64=0",
                                    "weights versions: 0=1 42=2 62=1 64=1",
                                    "staleness updates: 40=0 62=1 64=1",
                                }));

  EXPECT_EQ(counters.StalenessOf({0, 2}), 0);
  EXPECT_EQ(counters.StalenessOf({0, 4}), 1);
  EXPECT_EQ(counters.StalenessOf({0, 0}), -1);
}

TEST(TraceCounters, TakeTheLevelAfterOpsThatTakeNoTime) {
  const Schedule schedule = OrThrow(Parse(R"(stagecraft schedule 1
shape ranks 1 stages 1 microbatches 1
place 0: 0
rank 0 0F0@0 0B0@0 0S@0
)",
                                          "test"));
  Timeline timeline;
  timeline.spans = {At(0, 0), At(0, 0), At(0, 5)};
  EXPECT_EQ(Texts(TraceCounters(schedule, timeline, kSizes), 0)[1], "activations sets: 0=0 5=0");
}

TEST(TraceCounters, StartAndEndTheMembersOfACellTogether) {
  const Schedule schedule = OrThrow(Parse(R"(stagecraft schedule 1
shape ranks 1 stages 1 microbatches 2
place 0: 0
rank 0 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0
)",
                                          "test"));
  Timeline timeline;
  timeline.spans = {At(0, 1), At(1, 4), At(1, 4), At(4, 6), At(6, 6)};
  EXPECT_EQ(Texts(TraceCounters(schedule, timeline, kSizes), 0)[1],
            "activations sets: 0=1 1=2 4=1 6=0");
}

TEST(TraceCounters, HaveAStalenessPerStageWhereARankHoldsSeveral) {
  const Schedule schedule = OrThrow(Parse(R"(stagecraft schedule 1
shape ranks 1 stages 2 microbatches 1
place 0: 0 1
rank 0 0F0@0 1F0@0 1B0@0 1S@0 0B0@0 0S@0
)",
                                          "test"));
  Timeline timeline;
  timeline.spans.resize(6);
  const std::vector<StageSizes> sizes(2);
  EXPECT_EQ(Texts(TraceCounters(schedule, timeline, sizes), 0),
            (std::vector<std::string>{"memory bytes: 0=0", "activations sets: 0=0",
                                      "weights versions: 0=2", "staleness of stage 0 updates: 0=0",
                                      "staleness of stage 1 updates: 0=0"}));
}

}  // namespace
}  // namespace stagecraft
