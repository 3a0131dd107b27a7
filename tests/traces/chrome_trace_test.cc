#include "traces/chrome_trace.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include <gtest/gtest.h>

#include "schedules/fingerprint.h"
#include "schedules/lower.h"
#include "schedules/registry.h"
#include "schedules/text.h"
#include "sim/simulate.h"
#include "tests/support/trace_check.h"

namespace stagecraft {
namespace {

using test::TraceCheck;

Span At(std::int64_t start, std::int64_t end) {
  return {Nanoseconds{start}, Nanoseconds{end}};
}

Schedule Parsed(std::string_view text) {
  return OrThrow(Parse(text, "test"));
}

TEST(ChromeTrace, OfThreeOpsIsExactlyThis) {
  const Schedule schedule = Parsed(R"(stagecraft schedule 1
name "quoted"
shape ranks 1 stages 1 microbatches 1
place 0: 0
rank 0 0F0@0 0B0@0 0S@0
)");
  Timeline timeline;
  timeline.spans = {At(0, 1500), At(1500, 3001), At(3001, 4000)};
  const std::vector<StageSizes> sizes(1);

  const std::string text = ChromeTrace(schedule, timeline, sizes);
  const std::string head = R"({"displayTimeUnit":"ms","otherData":{"schedule":"\"quoted\"",)";
  EXPECT_EQ(text.substr(0, head.size()), head);
  const std::string fingerprint = FingerprintsOf(schedule).schedule;  // It needs no transfers.
  EXPECT_NE(text.find("\"fingerprint\":\"" + fingerprint + "\",\"lowered_fingerprint\":\"" +
                      fingerprint + "\"}"),
            std::string::npos);

  const std::string expected =
      R"json("traceEvents":[
{"ph":"M","pid":0,"name":"process_name","args":{"name":"rank 0 (stage 0)"}},
{"ph":"M","pid":0,"name":"process_sort_index","args":{"sort_index":0}},
{"ph":"M","pid":0,"tid":1001,"name":"thread_name","args":{"name":"compute"}},
{"ph":"M","pid":0,"tid":1001,"name":"thread_sort_index","args":{"sort_index":0}},
{"ph":"M","pid":0,"tid":1004,"name":"thread_name","args":{"name":"update"}},
{"ph":"M","pid":0,"tid":1004,"name":"thread_sort_index","args":{"sort_index":3}},
{"ph":"X","pid":0,"tid":1001,"cat":"compute","name":"F0","ts":0,"dur":1.5,)json"
      R"json("args":{"stage":0,"micro_batch":0,"version":0,"horizon":0}},
{"ph":"X","pid":0,"tid":1001,"cat":"compute","name":"B0","ts":1.5,"dur":1.501,)json"
      R"json("args":{"stage":0,"micro_batch":0,"version":0,"horizon":0,)json"
      R"json("staleness":0}},
{"ph":"X","pid":0,"tid":1004,"cat":"update","name":"S@0","ts":3.001,"dur":0.999,)json"
      R"json("args":{"stage":0,"version":0}},
{"ph":"C","pid":0,"cat":"counter","name":"memory","ts":0,"args":{"bytes":0}},
{"ph":"C","pid":0,"cat":"counter","name":"memory","ts":4,"args":{"bytes":0}},
{"ph":"C","pid":0,"cat":"counter","name":"activations","ts":0,"args":{"sets":1}},
{"ph":"C","pid":0,"cat":"counter","name":"activations","ts":3.001,"args":{"sets":0}},
{"ph":"C","pid":0,"cat":"counter","name":"activations","ts":4,"args":{"sets":0}},
{"ph":"C","pid":0,"cat":"counter","name":"weights","ts":0,"args":{"versions":1}},
{"ph":"C","pid":0,"cat":"counter","name":"weights","ts":4,"args":{"versions":1}},
{"ph":"C","pid":0,"cat":"counter","name":"staleness","ts":3.001,"args":{"updates":0}},
{"ph":"C","pid":0,"cat":"counter","name":"staleness","ts":4,"args":{"updates":0}}
]}
)json";

  EXPECT_EQ(text.substr(text.find("\"traceEvents\"")), expected);
}

/// Every kind of op takes time, and stages differ.
Costs SomeCosts(std::int32_t stages) {
  Costs costs;
  for (std::int32_t stage = 0; stage < stages; ++stage) {
    StageCosts& of = costs.stages.emplace_back();
    of.forward = Nanoseconds{1'000'007 + 1'000 * stage};
    of.backward = Nanoseconds{2'100'003};
    of.backward_input = of.backward_weight = Nanoseconds{1'050'001};
    of.recompute = of.forward;
    of.step = Nanoseconds{50'000};
    of.predict = Nanoseconds{30'000};
    of.allreduce = Nanoseconds{400'000};
    of.sizes = {.activation_bytes = 1'000'000,
                .input_bytes = 1000,
                .output_bytes = 1000,
                .parameter_bytes = 5000,
                .optimizer_bytes = 10'000};
  }
  return costs;
}

/// The simulated run of a lowered schedule.
Timeline Simulated(const Schedule& lowered, const Costs& costs, SendMode send = SendMode::kEager) {
  Topology topology;
  topology.latency = std::chrono::microseconds(100);
  topology.bandwidth = 1e9;
  topology.send = send;
  return Simulate(lowered, costs, topology);
}

std::size_t OpsOf(const Schedule& schedule) {
  return static_cast<std::size_t>(OpIds(schedule).Size());
}

void ExpectClean(const TraceCheck& check) {
  EXPECT_TRUE(check.Problems().empty())
      << check.Problems().size() << " problems, the first: " << check.Problems().front();
}

TEST(ChromeTrace, KeepsEveryRuleForEveryGenerator) {
  for (const Generator& generator : Generators()) {
    GeneratorOptions options{.ranks = 4, .microbatches = 8, .batches = 2};
    const Schedule schedule = Lower(OrThrow(Generate(generator.name, options)));
    const Costs costs = SomeCosts(schedule.shape.stages);
    const Timeline timeline = Simulated(schedule, costs);
    const TraceCheck check(ChromeTrace(schedule, timeline, SizesOf(costs)));

    std::cout << generator.name << ": " << check.Slices() << " slices, " << check.Arrows()
              << " arrows, " << check.Counters().size() << " counters\n";
    ExpectClean(check);
    EXPECT_EQ(check.Slices(), OpsOf(schedule));
    EXPECT_EQ(check.Arrows(), timeline.transfers.size());

    for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
      for (const char* counter : {"memory bytes", "activations sets", "weights versions"}) {
        EXPECT_TRUE(check.Counters().contains({rank, counter})) << generator.name << counter;
      }
    }
  }
}

TEST(ChromeTrace, KeepsEveryRuleForEverySendModeAndReceivePolicy) {
  for (const char* policy : {"early", "just-in-time", "lookahead:2"}) {
    const Schedule schedule =
        Lower(OrThrow(Generate("1f1b", {.ranks = 4, .microbatches = 8, .batches = 1})),
              OrThrow(ParseReceivePolicy(policy)));
    const Costs costs = SomeCosts(4);

    for (const SendMode mode : {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking}) {
      if (mode == SendMode::kBlocking && std::string(policy) != "early") {
        continue;  // Deadlocks.
      }

      const TraceCheck check(
          ChromeTrace(schedule, Simulated(schedule, costs, mode), SizesOf(costs)));
      ExpectClean(check);
      EXPECT_EQ(check.Arrows(), 48U);  // 3 edges between ranks, 8 micro-batches, there and back.
    }
  }
}

TEST(ChromeTrace, IsTheSameBytesEveryTime) {
  const Schedule schedule = Lower(OrThrow(Generate("pipeoptim", {.ranks = 3, .microbatches = 5})));
  const Costs costs = SomeCosts(3);
  const Timeline timeline = Simulated(schedule, costs);
  EXPECT_EQ(ChromeTrace(schedule, timeline, SizesOf(costs)),
            ChromeTrace(schedule, timeline, SizesOf(costs)));
}

constexpr std::string_view kTwoRanks = R"(stagecraft schedule 1
shape ranks 2 stages 2 microbatches 1
mode forward
place 0: 0
place 1: 1
rank 0 0F0@0 0SEND_F0
rank 1 1RECV_F0 1F0@0
)";

/// `first` is the span of 0F0, `second` of 1F0; the transfer takes `hop` nanoseconds.
Timeline TwoRanksTimeline(Span first, Span second) {
  Timeline timeline;
  timeline.spans = {first, {first.end, first.end}, {Nanoseconds{0}, Nanoseconds{0}}, second};
  timeline.transfers = {{{0, 1}, {1, 0}, first.end, second.start, 8}};
  return timeline;
}

TEST(ChromeTrace, DrawsArrowsFromProducerToConsumerInsideTheirSlices) {
  const std::vector<StageSizes> sizes(2);
  const std::string text =
      ChromeTrace(Parsed(kTwoRanks), TwoRanksTimeline(At(0, 1000), At(1200, 2000)), sizes);
  EXPECT_NE(text.find(R"({"ph":"s","pid":0,"tid":1001,"cat":"transfer","name":"activation","id":1,)"
                      R"("ts":0.999})"),
            std::string::npos);
  EXPECT_NE(text.find(R"({"ph":"f","pid":1,"tid":1011,"cat":"transfer","name":"activation","id":1,)"
                      R"("bp":"e","ts":1.201})"),
            std::string::npos);
  const TraceCheck check(text);
  ExpectClean(check);
  EXPECT_TRUE(check.Joined().contains({"0 F0", "1 F0"}));
}

TEST(ChromeTrace, BindsArrowsOfOpsOfOneNanosecond) {
  const std::vector<StageSizes> sizes(2);
  const TraceCheck check(
      ChromeTrace(Parsed(kTwoRanks), TwoRanksTimeline(At(5, 6), At(6, 7)), sizes));
  ExpectClean(check);
  EXPECT_TRUE(check.Joined().contains({"0 F0", "1 F0"}));
}

TEST(ChromeTrace, LeavesOutArrowsThatNoViewerCouldBind) {
  const std::vector<StageSizes> sizes(2);
  using Spans = std::pair<Span, Span>;
  for (const auto& [first, second] :
       {Spans(At(5, 5), At(6, 9)), Spans(At(5, 8), At(9, 9)), Spans(At(5, 8), At(4, 9))}) {
    const TraceCheck check(ChromeTrace(Parsed(kTwoRanks), TwoRanksTimeline(first, second), sizes));
    ExpectClean(check);
    EXPECT_EQ(check.Slices(), 4U);
    EXPECT_EQ(check.Arrows(), 0U);
  }
}

TEST(ChromeTrace, StartsTheArrowAtASendThatTakesTimeIfItsProducerTakesNone) {
  const std::vector<StageSizes> sizes(2);
  Timeline timeline = TwoRanksTimeline(At(5, 5), At(20, 30));
  timeline.spans[1] = At(5, 20);  // Blocking.
  const TraceCheck check(ChromeTrace(Parsed(kTwoRanks), timeline, sizes));
  ExpectClean(check);
  EXPECT_TRUE(check.Joined().contains({"0 SEND_F0", "1 F0"}));
}

// A cell on rank 1 takes two inputs: the arrows must reach different members of one span.
TEST(ChromeTrace, TellsTheMembersOfACellApart) {
  const Schedule schedule = Parsed(R"(stagecraft schedule 1
shape ranks 2 stages 2 microbatches 2
place 0: 0
place 1: 1
rank 0 0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0B0@0 0RECV_B1 0B1@0 0S@0
rank 1 1RECV_F0 1F0@0 1RECV_F1 (1F1@0;1B0@0) 1SEND_B0 1B1@0 1SEND_B1 1S@0
)");
  const Costs costs = SomeCosts(2);
  const TraceCheck check(ChromeTrace(schedule, Simulated(schedule, costs), SizesOf(costs)));
  ExpectClean(check);
  EXPECT_EQ(check.Joined(),
            (std::multiset<std::pair<std::string, std::string>>{
                {"0 F0", "1 F0"}, {"0 F1", "1 F1"}, {"1 B0", "0 B0"}, {"1 B1", "0 B1"}}));
}

TEST(ChromeTrace, NestsTheMembersOfACellThatIsTooShortToTellThemApart) {
  const Schedule schedule = Parsed(R"(stagecraft schedule 1
shape ranks 1 stages 1 microbatches 2
place 0: 0
rank 0 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0
)");
  const std::vector<StageSizes> sizes(1);
  for (std::int64_t length = 0; length < 12; ++length) {
    Timeline timeline;
    timeline.spans = {At(0, 1), At(1, 1 + length), At(1, 1 + length), At(20, 30), At(30, 30)};
    ExpectClean(TraceCheck(ChromeTrace(schedule, timeline, sizes)));
  }
}

TEST(ChromeTrace, NamesTheStageWhereARankHoldsSeveral) {
  const Schedule schedule = Parsed(R"(stagecraft schedule 1
shape ranks 1 stages 2 microbatches 1
place 0: 0 1
rank 0 0F0@0 1F0@0 1B0@0 1S@0 0B0@0 0S@0
)");
  Timeline timeline;
  for (std::int64_t i = 0; i < 6; ++i) {
    timeline.spans.push_back(At(10 * i, 10 * i + 10));
  }
  const std::vector<StageSizes> sizes(2);
  const std::string text = ChromeTrace(schedule, timeline, sizes);
  ExpectClean(TraceCheck(text));
  EXPECT_NE(text.find("\"rank 0 (stages 0, 1)\""), std::string::npos);
  EXPECT_NE(text.find("\"name\":\"F1:0\""), std::string::npos);
  EXPECT_NE(text.find("\"name\":\"S1@0\""), std::string::npos);
}

// Perfetto puts a thread that is numbered like its process first: with many ranks too, no thread
// may be numbered like any process.
TEST(ChromeTrace, NumbersThreadsUnlikeAnyProcess) {
  for (const std::int32_t ranks : {999, 1000, 1001, 1100}) {
    Schedule schedule;
    schedule.shape = {ranks, ranks, 1};
    schedule.mode = Mode::kForward;
    schedule.placement = StraightPlacement(ranks);
    for (std::int32_t rank = 0; rank < ranks; ++rank) {
      schedule.programs.push_back({Op{.kind = OpKind::kForward, .stage = rank}});
    }
    Timeline timeline;
    timeline.spans.resize(static_cast<std::size_t>(ranks), At(0, 10));
    const std::vector<StageSizes> sizes(static_cast<std::size_t>(ranks));
    ExpectClean(TraceCheck(ChromeTrace(schedule, timeline, sizes)));
  }
}

// What the checker is worth: damage that some viewer minds is noticed.
TEST(TraceCheck, NoticesDamage) {
  const std::vector<StageSizes> sizes(2);
  const std::string good =
      ChromeTrace(Parsed(kTwoRanks), TwoRanksTimeline(At(0, 1000), At(1200, 2000)), sizes);
  ExpectClean(TraceCheck(good));
  const auto damaged = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return TraceCheck(text.replace(at, from.size(), to)).Problems().size();
  };
  EXPECT_GT(damaged("\"ts\":0.999", "\"ts\":1.5"), 0U);      // Start outside every slice.
  EXPECT_GT(damaged("\"ts\":1.201", "\"ts\":1.1"), 0U);      // End outside every slice.
  EXPECT_GT(damaged("\"bp\":\"e\",", ""), 0U);               // Binds to the next slice.
  EXPECT_GT(damaged("\"dur\":0.8", "\"dur\":-0.8"), 0U);     // Negative length.
  EXPECT_GT(damaged("\"dur\":0.8", "\"dur\":0.80004"), 0U);  // Finer than a nanosecond.
  EXPECT_GT(damaged("\"id\":1", "\"id\":2"), 0U);            // Flow without a partner.
  EXPECT_GT(damaged("\"tid\":1011,\"name\":\"thread_name\"", "\"tid\":9,\"name\":\"thread_name\""),
            0U);                                             // Thread without a name.
  EXPECT_GT(damaged("\"bytes\":0", "\"bytes\":\"0\""), 0U);  // Counter of text.
  EXPECT_GT(damaged("]}", "]"), 0U);                         // Cut off.
}

}  // namespace
}  // namespace stagecraft
