#include <algorithm>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/dependencies.h"
#include "schedules/lower.h"
#include "schedules/schedule.h"
#include "schedules/verify.h"
#include "sim/critical_path.h"
#include "sim/durations.h"
#include "sim/metrics.h"
#include "sim/simulate.h"
#include "tests/support/mutate.h"
#include "tests/support/random_schedule.h"
#include "tests/support/schedule_builder.h"
#include "tests/support/trace_check.h"
#include "traces/chrome_trace.h"
#include "traces/text_timeline.h"

// Statements about the simulation of any schedule with any costs.

namespace stagecraft {
namespace {

/// A random schedule that completes in a random send mode, with costs.
struct Case {
  Schedule schedule;
  Costs costs;
  Topology topology;
};

Case NextCase(test::RandomSchedules& random) {
  constexpr SendMode kModes[] = {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking};
  while (true) {
    Case next;
    next.schedule = Lower(random.Next(), random.Policy());
    next.costs = random.CostsFor(next.schedule);
    next.topology = random.TopologyFor(next.schedule);
    next.topology.send = kModes[random.Below(3)];
    if (Verify(next.schedule, next.topology.send).empty()) {
      return next;
    }
  }
}

Nanoseconds MakespanOf(const Case& run) {
  return Makespan(Simulate(run.schedule, run.costs, run.topology));
}

constexpr int kCases = 1000;

TEST(AnySimulation, BusyAndIdleTimeAddUpToTheMakespan) {
  test::RandomSchedules random(test::SeedFromEnvironment(21));
  for (int i = 0; i < kCases; ++i) {
    const Case run = NextCase(random);
    const Metrics metrics =
        Measure(run.schedule, Simulate(run.schedule, run.costs, run.topology), run.costs);
    for (const RankMetrics& rank : metrics.ranks) {
      ASSERT_EQ(rank.busy + rank.idle.warm_up + rank.idle.transfer + rank.idle.dependency +
                    rank.idle.cool_down,
                metrics.makespan)
          << Print(run.schedule);
      for (const Nanoseconds part : {rank.busy, rank.idle.warm_up, rank.idle.transfer,
                                     rank.idle.dependency, rank.idle.cool_down}) {
        ASSERT_GE(part, Nanoseconds(0));
      }
    }
  }
}

TEST(AnySimulation, LastsAtLeastAsLongAsItsBusiestRank) {
  test::RandomSchedules random(test::SeedFromEnvironment(22));
  for (int i = 0; i < kCases; ++i) {
    const Case run = NextCase(random);
    for (std::size_t rank = 0; rank < run.schedule.programs.size(); ++rank) {
      const Program& program = run.schedule.programs[rank];
      Nanoseconds busy{0};
      for (std::size_t begin = 0; begin < program.size();) {
        const auto end =
            static_cast<std::size_t>(CellEnd(program, static_cast<std::int32_t>(begin)));
        busy += AtSpeed(CellCost({&program[begin], end - begin}, run.costs),
                        run.topology.SpeedOf(static_cast<std::int32_t>(rank)));
        begin = end;
      }
      ASSERT_GE(MakespanOf(run), busy);
    }
  }
}

/// The chain of one micro-batch through all stages, forward and back, without waiting.
TEST(AnySimulation, LastsAtLeastAsLongAsOneMicrobatch) {
  test::RandomSchedules random(test::SeedFromEnvironment(23));
  for (int i = 0; i < kCases; ++i) {
    Case run = NextCase(random);
    run.topology.speed.clear();
    for (StageCosts& stage : run.costs.stages) {
      stage.joined.reset();
    }
    Nanoseconds chain{0};
    for (const StageCosts& stage : run.costs.stages) {
      chain += stage.forward;
      if (run.schedule.mode == Mode::kTraining) {
        chain += std::min(stage.backward, stage.backward_input);
      }
    }
    ASSERT_GE(MakespanOf(run), chain);
  }
}

TEST(AnySimulation, ScalesWithAllItsCosts) {
  test::RandomSchedules random(test::SeedFromEnvironment(24));
  for (int i = 0; i < kCases; ++i) {
    Case run = NextCase(random);
    run.topology.speed.clear();  // Rounding does not scale.
    run.topology.bandwidth = 0;
    const Nanoseconds before = MakespanOf(run);
    const std::int64_t factor = 2 + random.Below(5);
    run.topology.latency *= factor;
    for (StageCosts& stage : run.costs.stages) {
      for (Nanoseconds* cost :
           {&stage.forward, &stage.backward, &stage.backward_input, &stage.backward_weight,
            &stage.recompute, &stage.step, &stage.predict, &stage.allreduce}) {
        *cost *= factor;
      }
      if (stage.joined) {
        *stage.joined *= factor;
      }
    }
    ASSERT_EQ(MakespanOf(run), before * factor);
  }
}

TEST(AnySimulation, NeverGetsShorterWhenACostRises) {
  test::RandomSchedules random(test::SeedFromEnvironment(25));
  int longer = 0;
  for (int i = 0; i < kCases; ++i) {
    Case run = NextCase(random);
    const Nanoseconds before = MakespanOf(run);
    StageCosts& stage =
        run.costs.stages[static_cast<std::size_t>(random.Below(run.schedule.shape.stages))];
    Nanoseconds* const costs[] = {&stage.forward,   &stage.backward,        &stage.backward_input,
                                  &stage.recompute, &stage.backward_weight, &stage.step,
                                  &stage.predict,   &stage.allreduce,       &run.topology.latency};
    *costs[random.Below(9)] += Nanoseconds(1 + random.Below(1000));
    stage.sizes.output_bytes += random.Below(1000);
    const Nanoseconds after = MakespanOf(run);
    ASSERT_GE(after, before) << Print(run.schedule);
    longer += after > before ? 1 : 0;
  }
  std::cout << longer << " of " << kCases << " got longer\n";
  EXPECT_GT(longer, kCases / 10);
}

TEST(AnySimulation, HasACriticalPathWithoutGaps) {
  test::RandomSchedules random(test::SeedFromEnvironment(26));
  for (int i = 0; i < kCases; ++i) {
    const Case run = NextCase(random);
    const Timeline timeline = Simulate(run.schedule, run.costs, run.topology);
    const std::vector<CriticalStep> path = CriticalPath(run.schedule, timeline, run.topology);
    Nanoseconds at{0};
    Nanoseconds last_op{0};
    for (const Span& span : timeline.spans) {
      last_op = std::max(last_op, span.end);
    }
    for (const CriticalStep& step : path) {
      ASSERT_EQ(step.start, at) << Print(run.schedule);
      at = step.end;
    }
    ASSERT_EQ(at, last_op) << Print(run.schedule);
    Nanoseconds total{0};
    for (const Sensitivity& part : Sensitivities(run.schedule, run.costs, path)) {
      total += part.total;
    }
    ASSERT_EQ(total, last_op) << Print(run.schedule);
  }
}

TEST(AnySimulation, GivesTheSameTraceTwice) {
  test::RandomSchedules random(test::SeedFromEnvironment(27));
  for (int i = 0; i < kCases / 10; ++i) {
    const Case run = NextCase(random);
    const auto trace = [&](Engine engine) {
      return ChromeTrace(run.schedule, Simulate(run.schedule, run.costs, run.topology, engine),
                         SizesOf(run.costs));
    };
    ASSERT_EQ(trace(Engine::kReplay), trace(Engine::kReplay));
    ASSERT_EQ(trace(Engine::kReplay), trace(Engine::kEvents));
  }
}

/// Cells, replicas, ops of no length, blocked senders: viewers must take all of it.
TEST(AnySimulation, CanBeShown) {
  test::RandomSchedules random(test::SeedFromEnvironment(28));
  for (int i = 0; i < kCases / 4; ++i) {
    const Case run = NextCase(random);
    const Timeline timeline = Simulate(run.schedule, run.costs, run.topology);
    const test::TraceCheck trace(ChromeTrace(run.schedule, timeline, SizesOf(run.costs)));
    ASSERT_EQ(trace.Problems(), std::vector<std::string>{}) << Print(run.schedule);
    ASSERT_EQ(trace.Slices(), timeline.spans.size());
    ASSERT_LE(trace.Arrows(), timeline.transfers.size());
    const std::string text = RenderTimeline(run.schedule, timeline);
    for (std::int32_t rank = 0; rank < run.schedule.shape.ranks; ++rank) {
      ASSERT_NE(text.find("rank " + std::to_string(rank)), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace stagecraft
