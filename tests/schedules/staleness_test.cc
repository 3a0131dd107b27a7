#include "schedules/staleness.h"

#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/generator_variants.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::List;
using test::Make;
using test::Programs;

using Histogram = std::map<std::int32_t, std::int64_t>;

std::vector<std::int32_t> Steady(const Schedule& schedule) {
  std::vector<std::int32_t> steady;
  for (const StageStaleness& stage : FindStaleness(schedule)) {
    steady.push_back(stage.steady.value());
  }
  return steady;
}

std::vector<std::int32_t> NominalSteady(const Schedule& schedule) {
  std::vector<std::int32_t> nominal;
  for (const StageStaleness& stage : FindStaleness(schedule)) {
    nominal.push_back(stage.nominal_steady.value());
  }
  return nominal;
}

TEST(FindStaleness, IsTheVersionOfTheStepMinusTheVersionThatTheForwardRead) {
  // 0F1 reads version 0 and its gradient is applied to version 1: one update missed. The version
  // that the B reads does not count.
  const Schedule schedule = Programs(2, {"0: 0F0@0 0F1@0 0B0@0 0S@0 0B1@1 0S@1"});
  const StageStaleness stage = FindStaleness(schedule).at(0);
  EXPECT_EQ(stage.max, 1);
  EXPECT_EQ(stage.steady, 1);
  EXPECT_EQ(stage.nominal_steady, 1);
  EXPECT_EQ(stage.histogram, (Histogram{{0, 1}, {1, 1}}));
}

TEST(FindStaleness, NominalCountsTheHorizon) {
  // 1 - (0 + 2) = -1: the forward aimed at version 2, beyond its own update.
  const Schedule schedule = Programs(2, {"0: 0F0@0 0P@0+2 0F1@0+2 0B0@0 0S@0 0B1@1 0S@1"});
  EXPECT_EQ(FindStaleness(schedule).at(0).nominal_steady, -1);
  EXPECT_EQ(FindStaleness(schedule).at(0).steady, 1);
}

TEST(FindStaleness, NominalIsTheValueFurthestFromZero) {
  // Both gradients go to the S of version 1; they aimed at 2 (-1) and at 0 (+1, comes second), then
  // at 3 (-2).
  const Schedule schedule = Programs(4, {"0: 0F0@0 0P@0+2 0F1@0+2 0F2@0 0P@0+3 0F3@0+3 0B0@0 0S@0 "
                                         "0B1@1 0B2@1 0B3@1 0S@1"});
  EXPECT_EQ(FindStaleness(schedule).at(0).nominal_steady, -2);
  EXPECT_EQ(FindStaleness(schedule).at(0).histogram, (Histogram{{0, 1}, {1, 3}}));
}

TEST(FindStaleness, SteadyIsOfTheLastUpdateOnly) {
  // A stage that misses two updates and then runs without any delay.
  const Schedule schedule =
      Programs(4, {"0: 0F0@0 0F1@0 0F2@0 0B0@0 0S@0 0B1@1 0S@1 0B2@2 0S@2 0F3@3 0B3@3 0S@3"});
  const StageStaleness stage = FindStaleness(schedule).at(0);
  EXPECT_EQ(stage.max, 2);
  EXPECT_EQ(stage.steady, 0);
  EXPECT_EQ(stage.histogram, (Histogram{{0, 2}, {1, 1}, {2, 1}}));
}

TEST(FindStaleness, SplitBackwardsCountAtTheirW) {
  const Schedule schedule = Programs(2, {"0: 0F0@0 0F1@0 0I0@0 0I1@0 0W0@0 0S@0 0W1@1 0S@1"});
  EXPECT_EQ(FindStaleness(schedule).at(0).histogram, (Histogram{{0, 1}, {1, 1}}));
}

TEST(FindStaleness, WithoutAnUpdateThereIsNone) {
  const StageStaleness stage = FindStaleness(test::ForwardPrograms(1, {"0: 0F0@0"})).at(0);
  EXPECT_EQ(stage.max, 0);
  EXPECT_FALSE(stage.steady.has_value());
  EXPECT_FALSE(stage.nominal_steady.has_value());
  EXPECT_TRUE(stage.histogram.empty());
}

TEST(FindStaleness, GradientsWithoutAStepAreNotCounted) {
  const Schedule schedule = Programs(3, {"0: 0F0@0 0B0@0 0S@0 0F1@1 0B1@1", "0: 0F2@0 0B2@0 0S@0"});
  EXPECT_EQ(FindStaleness(schedule).at(0).histogram, (Histogram{{0, 2}}));
}

TEST(GradientUses, NameGradientReadAndStep) {
  const Schedule schedule = Programs(2, {"0: 0F0@0 0P@0+1 0F1@0+1 0B0@0 0S@0 0B1@1 0S@1",
                                         "1: 1F0@0 1F1@0 1I0@0 1I1@0 1W1@0 1W0@0 1S@0"});
  std::string text;
  for (const GradientUse& use : GradientUses(schedule)) {
    text += ToString(schedule.At(use.gradient)) + " of " + ToString(schedule.At(use.forward)) +
            "/" + std::to_string(use.gradient.rank) + " stage " + std::to_string(use.stage) + " q" +
            std::to_string(use.microbatch) + " @" + std::to_string(use.version) + "+" +
            std::to_string(use.horizon) + " S@" + std::to_string(use.step_version) + "\n";
  }
  EXPECT_EQ(text,
            "0B0@0 of 0F0@0/0 stage 0 q0 @0+0 S@0\n"
            "0B1@1 of 0F1@0+1/0 stage 0 q1 @0+1 S@1\n"
            "1W1@0 of 1F1@0/1 stage 1 q1 @0+0 S@0\n"
            "1W0@0 of 1F0@0/1 stage 1 q0 @0+0 S@0\n");
}

TEST(GradientUses, LeaveOutGradientsWithoutAStep) {
  EXPECT_TRUE(GradientUses(Programs(1, {"0: 0F0@0 0B0@0"})).empty());
}

TEST(Staleness, PipeDreamIsTheDistanceToTheLastStage) {
  for (std::int32_t ranks = 1; ranks <= 8; ++ranks) {
    const Schedule schedule = Make("pipedream", {.ranks = ranks, .microbatches = 3 * ranks});
    const std::vector<StageStaleness> stages = FindStaleness(schedule);
    std::cout << "pipedream D = " << ranks << ": " << List(Steady(schedule)) << '\n';
    for (std::int32_t r = 0; r < ranks; ++r) {
      // A ramp of one micro-batch each at 0, 1, ..., D-2-r; all the others at D-1-r.
      const std::int32_t distance = ranks - 1 - r;
      Histogram expected;
      for (std::int32_t missed = 0; missed < distance; ++missed) {
        expected[missed] = 1;
      }
      expected[distance] = 3 * ranks - distance;
      const StageStaleness& stage = stages[static_cast<std::size_t>(r)];
      EXPECT_EQ(stage.max, distance);
      EXPECT_EQ(stage.steady, distance);
      EXPECT_EQ(stage.nominal_steady, distance);
      EXPECT_EQ(stage.histogram, expected);
    }
  }
}

TEST(Staleness, OfEveryApproachOnFourStages) {
  const auto figures = [](std::string_view name, const GeneratorOptions& options) {
    const Schedule schedule = Make(name, options);
    std::string text = List(Steady(schedule)) + " nominal " + List(NominalSteady(schedule));
    std::cout << name << ": " << text << '\n';
    return text;
  };
  const GeneratorOptions options{.ranks = 4, .microbatches = 24};
  EXPECT_EQ(figures("async-1f1b", options), "3,2,1,0 nominal 3,2,1,0");
  EXPECT_EQ(figures("pipedream", options), "3,2,1,0 nominal 3,2,1,0");
  GeneratorOptions vertical = options;
  vertical.vertical_sync = true;
  EXPECT_EQ(figures("pipedream", vertical), "3,3,3,3 nominal 3,3,3,3");
  EXPECT_EQ(figures("pipedream-2bw", options), "1,1,1,1 nominal 1,1,1,1");
  EXPECT_EQ(figures("spectrain", options), "3,2,1,0 nominal 0,0,-1,-1");
  EXPECT_EQ(figures("pipeoptim", options), "3,2,1,0 nominal 0,0,0,0");
  EXPECT_EQ(figures("pipemare", options), "3,2,1,0 nominal 3,2,1,0");
  EXPECT_EQ(figures("pipelined-backprop", options), "6,4,2,0 nominal 0,0,0,0");
  for (const char* name : {"sequential", "model-parallel", "gpipe", "1f1b"}) {
    EXPECT_EQ(figures(name, {.ranks = 4, .microbatches = 8, .batches = 3}),
              "0,0,0,0 nominal 0,0,0,0");
  }
  EXPECT_EQ(figures("data-parallel", {.ranks = 4, .microbatches = 8, .batches = 3}), "0 nominal 0");
}

TEST(Staleness, EveryFlushScheduleHasNone) {
  int count = 0;
  test::ForEachVariant(4, [&](const test::Variant& variant) {
    if (!variant.generator->flushes) {
      return;
    }
    ++count;
    for (const StageStaleness& stage : FindStaleness(variant.Make())) {
      ASSERT_EQ(stage.max, 0) << variant.Text();
      ASSERT_EQ(stage.histogram,
                (Histogram{{0, variant.options.microbatches * variant.options.batches}}))
          << variant.Text();
    }
  });
  std::cout << count << " flush schedules with staleness 0\n";
  EXPECT_GT(count, 200);
}

}  // namespace
}  // namespace stagecraft
