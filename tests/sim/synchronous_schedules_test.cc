#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/weight_slots.h"
#include "sim/metrics.h"
#include "tests/support/auto_problems.h"
#include "tests/support/cost_builder.h"
#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

// What the sources of the synchronous schedules say about how long they take, simulated: golden
// makespans, idle formulas, and the tables of the zero-bubble papers.

/// F, I, W of every stage, in nanoseconds; B is both.
Costs Times(const Schedule& schedule, Nanoseconds forward, Nanoseconds input, Nanoseconds weight) {
  Costs costs;
  costs.stages.resize(static_cast<std::size_t>(schedule.shape.stages));
  for (StageCosts& stage : costs.stages) {
    stage.forward = forward;
    stage.backward_input = input;
    stage.backward_weight = weight;
    stage.backward = input + weight;
  }
  return costs;
}

/// Longest window and makespan, in ticks.
struct Lengths {
  double window = 0;
  double makespan = 0;
};

double Ticks(Nanoseconds time) {
  return static_cast<double>(time.count()) / static_cast<double>(test::kTick.count());
}

Lengths LengthsOf(const test::Run& run) {
  Lengths lengths;
  std::size_t id = 0;
  for (const Program& program : run.schedule.programs) {
    Nanoseconds first{-1};
    Nanoseconds last{0};
    for (std::size_t i = 0; i < program.size(); ++i, ++id) {
      const Span& span = run.timeline.spans[id];
      if (IsCommunication(program[i].kind) || span.start == span.end) {
        continue;
      }
      first = first < Nanoseconds(0) ? span.start : first;
      last = std::max(last, span.end);
    }
    lengths.window = std::max(lengths.window, Ticks(last - first));
  }
  lengths.makespan = Ticks(Makespan(run.timeline));
  return lengths;
}

/// F = I = W = 1 for a rank's share, cut evenly over its stages.
Lengths EqualShares(const Schedule& schedule, Nanoseconds hop) {
  const auto chunks = static_cast<std::int64_t>(schedule.placement.front().size());
  const bool replicated = schedule.shape.stages == schedule.shape.ranks;
  const Nanoseconds time = replicated ? test::kTick : test::kTick / chunks;
  return LengthsOf(
      test::SimulateWith(schedule, Times(schedule, time, time, time), {.latency = hop}));
}

void ExpectLengths(const char* name, GeneratorOptions options, const Lengths& plain,
                   const Lengths& with_hops) {
  options.ranks = 4;
  options.microbatches = 8;
  options.cells = FindGenerator(name)->takes & kTakesCells ? Cells::kSeparate : Cells::kJoined;
  const Schedule schedule = test::Make(name, options);
  const Lengths found = EqualShares(schedule, Nanoseconds(0));
  EXPECT_EQ(found.window, plain.window) << name;
  EXPECT_EQ(found.makespan, plain.makespan) << name;
  const Lengths hops = EqualShares(schedule, test::kTick / 4);
  EXPECT_EQ(hops.window, with_hops.window) << name;
  EXPECT_EQ(hops.makespan, with_hops.makespan) << name;
}

TEST(SynchronousSchedules, TakeAsLongAsTheyShould) {
  ExpectLengths("gpipe", {}, {33, 33}, {34.5, 34.5});
  ExpectLengths("1f1b", {}, {33, 33}, {37, 37});
  ExpectLengths("interleaved-1f1b", {}, {28.5, 28.5}, {32, 32});
  ExpectLengths("breadth-first", {}, {28.5, 28.5}, {30, 30});
  ExpectLengths("zb-h1", {}, {27, 27}, {30, 30});
  ExpectLengths("zb-h2", {}, {24, 27}, {25.5, 27.75});
  ExpectLengths("zb-v", {}, {24, 25.5}, {28, 28.75});
  ExpectLengths("dualpipe-v", {}, {25.5, 25.5}, {29.5, 29.5});
  ExpectLengths("dualpipe", {}, {25, 25}, {26.75, 26.75});
}

TEST(SynchronousSchedules, ChimeraTakesAsLongAsItShould) {
  const Schedule schedule = test::Make("chimera", {.ranks = 4, .microbatches = 4});
  const Costs costs = Times(schedule, test::kTick, test::kTick, test::kTick);
  EXPECT_EQ(LengthsOf(test::SimulateWith(schedule, costs)).makespan, 16);
  EXPECT_EQ(LengthsOf(test::SimulateWith(schedule, costs, {.latency = test::kTick / 4})).makespan,
            17.75);
}

/// Idle time of the worst rank within its window, in ticks, where all ranks have the same work.
double Idle(const test::Run& run, double work) {
  return LengthsOf(run).window - work;
}

TEST(SynchronousSchedules, IdleAsTheirFormulasSay) {
  for (std::int32_t p = 2; p <= 6; ++p) {
    for (const std::int32_t m : {2 * p, 3 * p, 5 * p}) {
      for (const auto& [f, i, w] :
           {std::tuple{1, 1, 1}, std::tuple{4, 4, 2}, std::tuple{3, 4, 2}}) {
        const auto idle = [&](const char* name, GeneratorOptions options = {}) {
          options.ranks = p;
          options.microbatches = m;
          const Schedule schedule = test::Make(name, options);
          const auto chunks = static_cast<double>(schedule.placement.front().size());
          const Costs costs = Times(schedule, f * test::kTick, i * test::kTick, w * test::kTick);
          return Idle(test::SimulateWith(schedule, costs), chunks * m * (f + i + w));
        };
        EXPECT_EQ(idle("gpipe"), (p - 1) * (f + i + w));
        EXPECT_EQ(idle("1f1b"), (p - 1) * (f + i + w));
        // Costs are those of a stage, so that a rank's share is v times as long.
        EXPECT_EQ(idle("interleaved-1f1b", {.chunks = 3}), (p - 1) * (f + i + w));
        EXPECT_EQ(idle("breadth-first", {.chunks = 3}), (p - 1) * (f + i + w));
        if (f == i || f == 1) {
          EXPECT_EQ(idle("zb-h1"), (p - 1) * (f + i - w)) << p << " " << m << " " << f << i << w;
        }
        if (f == i && i == w) {
          EXPECT_EQ(idle("zb-h2"), 0);
          EXPECT_EQ(idle("zb-v"), 0);
        }
      }
    }
  }
}

TEST(SynchronousSchedules, DualPipesIdleAsTheirFormulaSays) {
  // (p/2 - 1)(F&B + B - 3W), and (p - 1) times that on a V in times of a chunk: cells joined.
  const auto idle = [](const char* name, std::int32_t p, Nanoseconds f, Nanoseconds i,
                       Nanoseconds w, std::optional<Nanoseconds> cell) {
    const Schedule schedule = test::Make(name, {.ranks = p, .microbatches = 4 * p});
    Costs costs = Times(schedule, f, i, w);
    for (StageCosts& stage : costs.stages) {
      stage.joined = cell;
    }
    const test::Run run = test::SimulateWith(schedule, costs);
    // Work of a rank: what its ops and cells take.
    double most = 0;
    std::size_t id = 0;
    for (const Program& program : run.schedule.programs) {
      Nanoseconds work{0};
      Nanoseconds first{-1};
      Nanoseconds last{0};
      for (std::size_t k = 0; k < program.size(); ++k, ++id) {
        const Span& span = run.timeline.spans[id];
        if (IsCommunication(program[k].kind) || span.start == span.end) {
          continue;
        }
        work += program[k].joined ? Nanoseconds(0) : span.end - span.start;
        first = first < Nanoseconds(0) ? span.start : first;
        last = span.end;
      }
      most = std::max(most, Ticks(last - first - work));
    }
    return most;
  };
  const Nanoseconds tick = test::kTick;
  for (std::int32_t p = 2; p <= 8; ++p) {
    EXPECT_EQ(idle("dualpipe-v", p, tick, tick, tick, {}), (p - 1) * 2) << p;
    if (p % 2 == 0) {
      EXPECT_EQ(idle("dualpipe", p, tick, tick, tick, {}), (p / 2 - 1) * 2) << p;
    }
  }
  // An upper bound where a cell is shorter than its ops, and where F is below I.
  const auto formula = [&](std::int32_t p, double f_and_b, double b, double w) {
    return (p - 1) * (f_and_b + b - 3 * w);
  };
  for (std::int32_t p = 2; p <= 6; ++p) {
    EXPECT_LE(idle("dualpipe-v", p, tick, tick, tick, tick * 24 / 10),
              formula(p, 2.4, 2, 1) + 1e-9);
    EXPECT_LE(idle("dualpipe-v", p, tick, tick * 12 / 10, tick * 8 / 10, tick * 25 / 10),
              formula(p, 2.5, 2, .8) + 1e-9);
  }
}

TEST(SynchronousSchedules, ChimeraIdlesTwoSlotsLessThanItsRanks) {
  for (std::int32_t p = 2; p <= 10; p += 2) {
    for (std::int32_t units = 1; units <= 3; ++units) {
      const Schedule schedule = test::Make("chimera", {.ranks = p, .microbatches = units * p});
      const test::Run run = test::SimulateWith(
          schedule, Times(schedule, test::kTick, test::kTick / 2, test::kTick / 2));
      EXPECT_EQ(Idle(run, 2 * units * p), p - 2);
      const test::Run longer =
          test::SimulateWith(schedule, Times(schedule, test::kTick, test::kTick, test::kTick));
      if (units == 1) {
        const double bubble = 1 - 3.0 * p / LengthsOf(longer).makespan;
        EXPECT_NEAR(bubble, (p - 2) / (1.5 * p + p - 2), 1e-9);
      }
    }
  }
}

TEST(SynchronousSchedules, GreedyOnWavesIdlesAsMeasured) {
  const auto bubble = [](std::int32_t p, std::int32_t waves) {
    const Schedule schedule =
        test::Make("greedy", {.ranks = p, .microbatches = p, .chunks = 2 * waves});
    const test::Run run =
        test::SimulateWith(schedule, Times(schedule, test::kTick, test::kTick, test::kTick));
    return 1 - 3.0 * 2 * waves * p / LengthsOf(run).makespan;
  };
  EXPECT_NEAR(bubble(4, 1), .333, .0005);
  EXPECT_NEAR(bubble(4, 2), .213, .0005);
  EXPECT_NEAR(bubble(4, 4), .119, .0005);
  EXPECT_NEAR(bubble(8, 1), .368, .0005);
  EXPECT_NEAR(bubble(8, 2), .238, .0005);
  EXPECT_NEAR(bubble(8, 4), .135, .0005);
}

/// Idle share of the worst rank's window.
double WindowBubble(const char* name, const GeneratorOptions& options,
                    const StageEstimate& estimate) {
  const Schedule schedule = test::Make(name, options);
  const auto time = [](std::int64_t microseconds) {
    return Nanoseconds(std::chrono::microseconds(microseconds));
  };
  const test::Run run =
      test::SimulateWith(schedule,
                         Times(schedule, time(estimate.forward), time(estimate.backward_input),
                               time(estimate.backward_weight)),
                         {.latency = time(estimate.hop)});
  return run.Measured().window_bubble;
}

/// The automatic scheduler with a limit of so many times p sets.
double AutoBubble(const char* name, const test::PublishedRow& row, double limit) {
  GeneratorOptions options{.ranks = row.ranks, .microbatches = row.microbatches};
  options.limit = ActivationLimit{limit, ActivationLimit::Unit::kTimesRanks};
  const std::size_t stages =
      FindGenerator(name)->placement(options).front().size() * static_cast<std::size_t>(row.ranks);
  options.estimates.assign(stages, row.estimate);
  return WindowBubble(name, options, row.estimate);
}

TEST(SynchronousSchedules, HaveTheBubblesOfThePublishedTables) {
  constexpr double kDigits = 0.0002;
  constexpr double kNoWorse = 0.0005;
  std::printf("window bubbles, ours (published)\n");
  for (const test::PublishedRow& row : test::PublishedStraight()) {
    const GeneratorOptions options{.ranks = row.ranks, .microbatches = row.microbatches};
    const double one = AutoBubble("zb-auto", row, 1);
    const double two = AutoBubble("zb-auto", row, 2);
    const double plain = WindowBubble("1f1b", options, row.estimate);
    const double h1 = WindowBubble("zb-h1", options, row.estimate);
    const double h2 = WindowBubble("zb-h2", options, row.estimate);
    std::printf(
        "| %s, %d, %d | %.4f (%.4f) | %.4f (%.4f) | %.4f (%.4f) | %.4f (%.4f) | %.4f (%.4f) |\n",
        row.name.c_str(), row.ranks, row.microbatches, plain, row.one_f_one_b, h1, row.h1, h2,
        row.h2, one, row.one, two, row.two);
    EXPECT_NEAR(plain, row.one_f_one_b, kDigits);
    EXPECT_NEAR(h1, row.h1, kDigits);
    EXPECT_NEAR(h2, row.h2, kDigits);
    EXPECT_LE(one, row.one + kNoWorse);
    EXPECT_LE(two, row.two + kNoWorse);
  }
  for (const test::PublishedRow& row : test::PublishedV()) {
    const GeneratorOptions options{.ranks = row.ranks, .microbatches = row.microbatches};
    StageEstimate both = row.estimate;
    both.forward *= 2;
    both.backward_input *= 2;
    both.backward_weight *= 2;
    const double plain = WindowBubble("1f1b", options, both);
    const double h1 = WindowBubble("zb-h1", options, both);
    const double h2 = WindowBubble("zb-h2", options, both);
    const double v = AutoBubble("zb-auto-v", row, 1);
    std::printf("| %s, %d, %d | %.4f (%.4f) | %.4f (%.4f) | %.4f (%.4f) | %.4f (%.4f) |\n",
                row.name.c_str(), row.ranks, row.microbatches, plain, row.one_f_one_b, h1, row.h1,
                h2, row.h2, v, row.one);
    EXPECT_NEAR(plain, row.one_f_one_b, kDigits);
    EXPECT_NEAR(h1, row.h1, kDigits);
    EXPECT_NEAR(h2, row.h2, kDigits);
    EXPECT_LE(v, row.one + kNoWorse);
  }
}

TEST(SynchronousSchedules, MissNoUpdateAndKeepOneCopyOfTheWeights) {
  test::ForEachVariant(4, [](const test::Variant& variant) {
    if (!variant.generator->flushes) {
      return;
    }
    const Schedule schedule = variant.Make();
    const std::vector<StageStaleness> staleness = FindStaleness(schedule);
    for (const StageStaleness& stage : staleness) {
      ASSERT_EQ(stage.max, 0) << variant.Text();
    }
    for (const StageSlots& stage : CountWeightSlots(schedule)) {
      ASSERT_EQ(stage.slots, 1) << variant.Text();
    }
  });
}

}  // namespace
}  // namespace stagecraft
