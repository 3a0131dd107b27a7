#include <array>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "schedules/dependencies.h"
#include "schedules/lower.h"
#include "schedules/text.h"
#include "schedules/verify.h"
#include "sim/events.h"
#include "sim/metrics.h"
#include "sim/replay.h"
#include "sim/simulate.h"
#include "tests/support/generator_variants.h"
#include "tests/support/mutate.h"
#include "tests/support/naive_simulator.h"
#include "tests/support/random_schedule.h"

// Compiled replay, discrete events and the naive twin give the same timeline, to the nanosecond.

namespace stagecraft {
namespace {

constexpr std::array<SendMode, 3> kModes = {SendMode::kEager, SendMode::kRendezvous,
                                            SendMode::kBlocking};

struct Tally {
  std::int64_t runs = 0;
  std::int64_t deadlocks = 0;
  std::int64_t ops = 0;
};

/// Empty if the three agree on when everything happens, or the two engines that there is a
/// deadlock exactly where `Verify` says so; else what is wrong.
std::string Disagreement(const Schedule& lowered, const Costs& costs, const Topology& topology,
                         Tally& tally) {
  const Dependencies dependencies = FindDependencies(lowered);
  const std::optional<Timeline> events = RunEvents(lowered, dependencies, costs, topology);
  const auto compiled = Compile(lowered, dependencies, topology.send, SizesOf(costs));
  if (!Verify(lowered, topology.send).empty()) {
    ++tally.deadlocks;
    return !events && !compiled ? "" : "an engine ran what Verify refuses";
  }
  if (!events || !compiled) {
    return "an engine found a deadlock that Verify did not";
  }
  ++tally.runs;
  tally.ops += static_cast<std::int64_t>(events->spans.size());
  const Timeline naive = test::NaivelySimulate(lowered, costs, topology);
  if (*events != naive) {
    return "events and the naive twin differ";
  }
  if (ReplayTimeline(*compiled, costs, topology) != naive ||
      Simulate(lowered, costs, topology) != naive) {
    return "replay and the naive twin differ";
  }
  ReplayState state;
  Replay(*compiled, costs, topology, state);
  const Metrics metrics = Measure(lowered, naive, costs);
  for (std::size_t rank = 0; rank < state.ranks.size(); ++rank) {
    if (state.ranks[rank].busy != metrics.ranks[rank].busy ||
        state.ranks[rank].peak_bytes != metrics.ranks[rank].peak_bytes) {
      return "busy time or peak memory of replay and of Measure differ on rank " +
             std::to_string(rank);
    }
  }
  return state.makespan == metrics.makespan ? "" : "makespans of replay and Measure differ";
}

TEST(Simulators, AgreeOnRandomSchedulesCostsAndSendModes) {
  constexpr int kSchedules = 10'000;
  test::RandomSchedules random(test::SeedFromEnvironment(1));
  Tally tally;
  for (int i = 0; i < kSchedules; ++i) {
    const Schedule lowered = Lower(random.Next(), random.Policy());
    const Costs costs = random.CostsFor(lowered);
    Topology topology = random.TopologyFor(lowered);
    for (const SendMode mode : kModes) {
      topology.send = mode;
      const std::string what = Disagreement(lowered, costs, topology, tally);
      ASSERT_EQ(what, "") << ToString(mode) << ", schedule " << i << "\n" << Print(lowered);
    }
  }
  std::cout << tally.runs << " runs of " << tally.ops << " ops agree, " << tally.deadlocks
            << " deadlocks\n";
  EXPECT_GE(tally.runs, 20'000);
  EXPECT_GT(tally.deadlocks, 100);
}

/// All generators and options, up to 4 ranks and 6 micro-batches, every receive policy and mode.
TEST(Simulators, AgreeOnEveryGeneratorExhaustively) {
  test::RandomSchedules random(test::SeedFromEnvironment(2));
  Tally tally;
  test::ForEachVariant(4, [&](const test::Variant& variant) {
    const std::int64_t microbatches =
        std::int64_t{variant.options.microbatches} * variant.options.batches;
    if (microbatches > 6 || testing::Test::HasFailure()) {
      return;
    }
    const Schedule schedule = variant.Make();
    const Costs costs = random.CostsFor(schedule);
    Topology topology = random.TopologyFor(schedule);
    const ReceivePolicy policies[] = {
        {}, {ReceivePolicy::Kind::kJustInTime, 0}, {ReceivePolicy::Kind::kLookahead, 1}};
    for (const ReceivePolicy& policy : policies) {
      const Schedule lowered = Lower(schedule, policy);
      for (const SendMode mode : kModes) {
        topology.send = mode;
        const std::string what = Disagreement(lowered, costs, topology, tally);
        ASSERT_EQ(what, "") << variant.Text() << ", " << ToString(policy) << ", " << ToString(mode);
      }
    }
  });
  std::cout << tally.runs << " runs of " << tally.ops << " ops agree, " << tally.deadlocks
            << " deadlocks\n";
  EXPECT_GT(tally.runs, 1000);
}

}  // namespace
}  // namespace stagecraft
