#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/dependencies.h"
#include "schedules/lower.h"
#include "schedules/progress.h"
#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/verify.h"
#include "sim/events.h"
#include "tests/support/mutate.h"
#include "tests/support/random_schedule.h"
#include "tests/support/schedule_builder.h"

// Statements about every schedule: random ones, and generators over many shapes.

namespace stagecraft {
namespace {

constexpr int kSchedules = 1000;

TEST(AnySchedule, PrintsAndParsesBack) {
  test::RandomSchedules random(test::SeedFromEnvironment(11));
  for (int i = 0; i < kSchedules; ++i) {
    for (const Schedule& schedule : {random.Next(), Lower(random.Next(), random.Policy())}) {
      const std::string text = Print(schedule);
      const Schedule parsed = test::ParseOk(text);
      ASSERT_EQ(parsed, schedule);
      ASSERT_EQ(Print(parsed), text);
    }
  }
}

TEST(AnySchedule, RunsOneForwardAndOneBackwardOfEverything) {
  test::RandomSchedules random(test::SeedFromEnvironment(12));
  for (int i = 0; i < kSchedules; ++i) {
    const Schedule schedule = random.Next();
    std::map<std::tuple<OpKind, std::int32_t, std::int32_t>, int> count;
    for (const Program& program : schedule.programs) {
      for (const Op& op : program) {
        ++count[{op.kind, op.stage, op.microbatch}];
      }
    }
    const bool training = schedule.mode == Mode::kTraining;
    for (std::int32_t stage = 0; stage < schedule.shape.stages; ++stage) {
      for (std::int32_t q = 0; q < schedule.shape.microbatches; ++q) {
        const auto of = [&](OpKind kind) { return count[{kind, stage, q}]; };
        ASSERT_EQ(of(OpKind::kForward), 1);
        ASSERT_EQ(of(OpKind::kBackward) + of(OpKind::kBackwardInput), training ? 1 : 0);
        ASSERT_EQ(of(OpKind::kBackwardInput), of(OpKind::kBackwardWeight));
      }
    }
  }
}

TEST(AnySchedule, IsGivenBackByErasingWhatLoweringAdded) {
  test::RandomSchedules random(test::SeedFromEnvironment(13));
  for (int i = 0; i < kSchedules; ++i) {
    const Schedule schedule = random.Next();
    const Schedule lowered = Lower(schedule, random.Policy());
    ASSERT_EQ(EraseCommunication(lowered), schedule);
    ASSERT_EQ(test::Texts(Verify(lowered)), "") << Print(lowered);
  }
}

TEST(AnySchedule, CompletesInEverySendModeWithEarlyReceives) {
  test::RandomSchedules random(test::SeedFromEnvironment(14));
  for (int i = 0; i < kSchedules; ++i) {
    const Schedule lowered = Lower(random.Next());
    for (const SendMode mode : {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking}) {
      ASSERT_EQ(test::Texts(Verify(lowered, mode)), "") << ToString(mode) << Print(lowered);
    }
  }
}

/// Every op of every rank, in any order: what a damaged schedule must still be to mean the same.
bool IsEquivalent(const Schedule& a, const Schedule& b) {
  for (std::size_t rank = 0; rank < a.programs.size(); ++rank) {
    Program left = a.programs[rank];
    Program right = b.programs[rank];
    std::sort(left.begin(), left.end());
    std::sort(right.begin(), right.end());
    if (left != right) {
      return false;
    }
  }
  return a.shape == b.shape && a.placement == b.placement;
}

TEST(AnySchedule, IsRefusedWithAnOpLessOrMore) {
  test::RandomSchedules random(test::SeedFromEnvironment(15));
  int refused = 0;
  for (int i = 0; i < kSchedules; ++i) {
    const Schedule schedule = random.Next();
    Schedule damaged = schedule;
    Program& program =
        damaged.programs[static_cast<std::size_t>(random.Below(schedule.shape.ranks))];
    if (program.empty()) {
      continue;
    }
    const std::int32_t at = random.Below(static_cast<std::int32_t>(program.size()));
    const Op op = program[static_cast<std::size_t>(at)];
    // A prediction or a recomputation that nobody needs is legal, and so is one less of them.
    if (op.kind == OpKind::kPredict || op.kind == OpKind::kRecompute) {
      continue;
    }
    if (random.OneIn(2)) {
      program.erase(program.begin() + at);
    } else {
      program.insert(program.begin() + random.Below(static_cast<std::int32_t>(program.size())), op);
    }
    ASSERT_FALSE(Verify(damaged).empty()) << ToString(op) << Print(damaged);
    ++refused;
  }
  std::cout << refused << " damaged schedules refused\n";
  EXPECT_GT(refused, kSchedules / 2);
}

TEST(AnySchedule, WithTwoOpsSwappedIsRefusedOrHasTheSameOps) {
  test::RandomSchedules random(test::SeedFromEnvironment(16));
  int refused = 0;
  int accepted = 0;
  for (int i = 0; i < kSchedules; ++i) {
    const Schedule schedule = random.Next();
    Schedule damaged = schedule;
    Program& program =
        damaged.programs[static_cast<std::size_t>(random.Below(schedule.shape.ranks))];
    if (program.size() < 2) {
      continue;
    }
    const auto size = static_cast<std::int32_t>(program.size());
    std::swap(program[static_cast<std::size_t>(random.Below(size))],
              program[static_cast<std::size_t>(random.Below(size))]);
    if (!Verify(damaged).empty()) {
      ++refused;
      continue;
    }
    ++accepted;
    ASSERT_TRUE(IsEquivalent(schedule, damaged));
    const Dependencies dependencies = FindDependencies(damaged);
    std::size_t ops = 0;
    for (const Program& ranks : damaged.programs) {
      ops += ranks.size();
    }
    ASSERT_EQ(OrderOps(damaged, dependencies, SendMode::kEager).order.size(), ops);
  }
  std::cout << refused << " refused, " << accepted << " accepted\n";
  EXPECT_GT(refused, 100);
  EXPECT_GT(accepted, 100);
}

TEST(Activations, StayWithinTheBoundOfTheirSchedule) {
  for (std::int32_t p = 1; p <= 6; ++p) {
    for (std::int32_t m = 1; m <= 9; ++m) {
      const Schedule gpipe = test::Make("gpipe", {.ranks = p, .microbatches = m});
      const Schedule one_f_one_b = test::Make("1f1b", {.ranks = p, .microbatches = m});
      for (std::int32_t rank = 0; rank < p; ++rank) {
        const auto stage = static_cast<std::size_t>(rank);
        EXPECT_EQ(PeakActivationSets(gpipe)[stage], m);
        EXPECT_EQ(PeakActivationSets(one_f_one_b)[stage], std::min(m, p - rank));
      }
    }
  }
}

TEST(Staleness, IsWhatItsScheduleIsKnownFor) {
  for (std::int32_t p = 1; p <= 6; ++p) {
    GeneratorOptions options{.ranks = p, .microbatches = 4 * p, .batches = 2};
    const auto steady = [&](const char* name, std::int32_t stage) {
      return FindStaleness(test::Make(name, options))[static_cast<std::size_t>(stage)].steady;
    };
    for (std::int32_t stage = 0; stage < p; ++stage) {
      EXPECT_EQ(steady("gpipe", stage), 0);
      EXPECT_EQ(steady("1f1b", stage), 0);
      EXPECT_EQ(steady("pipedream", stage), p - 1 - stage);
      EXPECT_EQ(steady("pipedream-2bw", stage), 1);
    }
  }
}

}  // namespace
}  // namespace stagecraft
