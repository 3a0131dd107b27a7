#include "sim/remedies.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "schedules/text.h"
#include "schedules/verify.h"
#include "sim/simulate.h"
#include "tests/support/mutate.h"
#include "tests/support/random_schedule.h"

// What `explain` names as the best thing to fix is the best of everything that could be fixed.

namespace stagecraft {
namespace {

using What = CostItem::What;

constexpr SendMode kModes[] = {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking};

/// Every figure that there is, used or not.
std::vector<CostItem> AllItems(const Schedule& schedule, const Costs& costs) {
  std::vector<CostItem> items{{.what = What::kLatency}, {.what = What::kBandwidth}};
  for (std::int32_t stage = 0; stage < schedule.shape.stages; ++stage) {
    for (const OpTraits& traits : AllOpTraits()) {
      if (!IsCommunication(traits.kind)) {
        items.push_back({What::kOp, traits.kind, stage});
      }
    }
    if (costs.stages[static_cast<std::size_t>(stage)].joined) {
      items.push_back({.what = What::kCell, .index = stage});
    }
  }
  for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
    items.push_back({.what = What::kSpeed, .index = rank});
  }
  return items;
}

// Any schedule, costs, machine and send mode: what is named is the best of everything that could
// have been tried, each simulated anew.
TEST(Remedies, NameTheBestOfAllFiguresSimulatedAnew) {
  constexpr int kCases = 2000;
  test::RandomSchedules random(test::SeedFromEnvironment(31));
  int helped = 0;
  for (int i = 0; i < kCases; ++i) {
    const Schedule lowered = Lower(random.Next(), random.Policy());
    const Costs costs = random.CostsFor(lowered);
    Topology topology = random.TopologyFor(lowered);
    topology.send = kModes[random.Below(3)];
    if (!Verify(lowered, topology.send).empty()) {
      continue;
    }
    const auto simulated = [&](const CostItem& item) {
      Costs changed = costs;
      Topology machine = topology;
      MakeTenthBetter(item, changed, machine);
      return Makespan(Simulate(lowered, changed, machine));
    };
    const std::vector<Remedy> remedies =
        TryRemedies(lowered, FindDependencies(lowered), costs, topology);
    for (const Remedy& remedy : remedies) {
      ASSERT_EQ(remedy.after, simulated(remedy.item)) << ToString(remedy.item) << Print(lowered);
    }

    const Nanoseconds before = Makespan(Simulate(lowered, costs, topology));
    Nanoseconds best = before;
    for (const CostItem& item : AllItems(lowered, costs)) {
      best = std::min(best, simulated(item));
    }
    ASSERT_EQ(remedies.empty() ? before : remedies.front().after, best) << Print(lowered);
    helped += best < before ? 1 : 0;
  }
  EXPECT_GT(helped, kCases / 4);
}

}  // namespace
}  // namespace stagecraft
