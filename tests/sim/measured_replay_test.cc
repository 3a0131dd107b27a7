#include "sim/measured_replay.h"

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "sim/simulate.h"
#include "tests/support/cost_builder.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TEST(ReplayMeasured, OfASimulationWithoutTransfersIsItself) {
  for (const Generator& generator : Generators()) {
    GeneratorOptions options{.ranks = 3, .microbatches = 6};
    if ((generator.takes & kTakesCells) != 0) {
      options.cells = Cells::kSeparate;  // A simulation shows both results of a cell at its end.
    }
    const Schedule schedule = Lower(test::MakeNear(generator, options));
    const Timeline simulated = Simulate(schedule, test::EqualCosts(schedule, 2, 5), {});
    EXPECT_EQ(ReplayMeasured(schedule, simulated).spans, simulated.spans) << generator.name;
  }
  const Schedule replicated =
      Lower(test::Make("pipedream", {.ranks = 4, .microbatches = 6, .replicas = {3, 1}}));
  const Timeline simulated = Simulate(replicated, test::EqualCosts(replicated, 2, 5), {});
  EXPECT_EQ(Makespan(ReplayMeasured(replicated, simulated)), Makespan(simulated));
}

TEST(ReplayMeasured, TakesOutTheTimeBetweenOps) {
  const Schedule schedule = Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 4}));
  const Timeline simulated = Simulate(schedule, test::EqualCosts(schedule, 1, 2), {});
  Timeline stretched = simulated;
  for (Span& span : stretched.spans) {  // Every start comes late; durations stay.
    const Nanoseconds duration = span.end - span.start;
    span.start = span.start * 3 + Nanoseconds(50);
    span.end = span.start + duration;
  }
  EXPECT_EQ(Makespan(ReplayMeasured(schedule, stretched)), Makespan(simulated));
}

/// Begins of all ops but the first of a rank and what they wait for: `dispatch` behind their
/// rank's, and if another rank's op is what they wait for, `hop` more behind that.
TEST(MeasureDelays, AreWhatASimulationWasGiven) {
  constexpr Nanoseconds kDispatch(7), kHop(30);
  for (const Generator& generator : Generators()) {
    const Schedule schedule = Lower(test::MakeNear(generator, {.ranks = 3, .microbatches = 6}));
    const Timeline simulated = Simulate(schedule, test::EqualCosts(schedule, 200, 500), {});
    const Timeline delayed = ReplayMeasured(schedule, simulated, {kDispatch, kHop});
    const Delays delays = MeasureDelays(schedule, delayed, {{0, schedule.shape.microbatches}});
    if (schedule.shape.ranks > 1 && HasCommunication(schedule)) {
      EXPECT_EQ(delays.hop, kHop) << generator.name;
    }
    EXPECT_EQ(delays.dispatch, kDispatch) << generator.name;
  }
}

TEST(MeasureAllReduces, BeginWithTheirLastMember) {
  const Schedule schedule = test::Programs(1, {"0: 0F0@0 0B0@0 0A@0 0S@0", "0: 0A@0 0S@0"});
  ASSERT_EQ(schedule.programs[1][0].kind, OpKind::kAllReduce);
  Timeline timeline;
  for (const auto& [start, end] :
       {std::pair(0, 10), {10, 30}, {30, 37}, {37, 40}, {0, 38}, {38, 41}}) {
    timeline.spans.push_back({Nanoseconds(start), Nanoseconds(end)});
  }
  // 7 and 8 behind the one that came at 30; the second rank's belongs to no micro-batch.
  EXPECT_EQ(MeasureAllReduces(schedule, timeline, {{0, 1}}),
            std::vector<Nanoseconds>{Nanoseconds(7)});
  EXPECT_EQ(MeasureAllReduces(schedule, timeline, {{1, 2}}),
            std::vector<Nanoseconds>{Nanoseconds(0)});
  const Timeline replayed = ReplayMeasured(schedule, timeline);
  EXPECT_EQ(replayed.spans[2], (Span{Nanoseconds(30), Nanoseconds(37)}));
  EXPECT_EQ(replayed.spans[4], (Span{Nanoseconds(30), Nanoseconds(38)}));
}

TEST(MeasureDelays, CountOnlyTheirMicrobatches) {
  const Schedule schedule =
      Lower(test::Make("gpipe", {.ranks = 1, .microbatches = 2, .batches = 2}));
  Timeline timeline = Simulate(schedule, test::EqualCosts(schedule, 1, 2), {});
  Timeline late = ReplayMeasured(schedule, timeline, {Nanoseconds(5), Nanoseconds(0)});
  EXPECT_EQ(MeasureDelays(schedule, late, {{2, 4}}).dispatch, Nanoseconds(5));
  EXPECT_EQ(MeasureDelays(schedule, late, {{2, 2}}).dispatch, Nanoseconds(0));
}

}  // namespace
}  // namespace stagecraft
