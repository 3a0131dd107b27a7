#include "tests/support/random_schedule.h"

#include <array>
#include <cstdint>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "schedules/verify.h"
#include "sim/durations.h"
#include "tests/support/mutate.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

TEST(RandomSchedules, AreValidAndShowEveryFeature) {
  constexpr int kSchedules = 2000;
  test::RandomSchedules random(test::SeedFromEnvironment(3));
  std::array<int, kOpKinds> kinds{};
  int cells = 0;
  int old_versions = 0;
  int replicated = 0;
  for (int i = 0; i < kSchedules; ++i) {
    const Schedule schedule = random.Next();
    ASSERT_EQ(test::Texts(Verify(schedule)), "") << Print(schedule);
    const Costs costs = random.CostsFor(schedule);
    ASSERT_EQ(test::Texts(CheckCosts(schedule, costs, random.TopologyFor(schedule))), "");
    for (const std::vector<Op>& program : schedule.programs) {
      std::int32_t newest = 0;
      for (const Op& op : program) {
        ++kinds[static_cast<std::size_t>(op.kind)];
        cells += op.joined ? 1 : 0;
        newest = op.kind == OpKind::kStep ? op.version + 1 : newest;
        old_versions += op.kind == OpKind::kForward && op.version < newest ? 1 : 0;
      }
    }
    replicated += schedule.placement.size() > 1 && schedule.placement[0] == schedule.placement[1];
  }
  for (const OpTraits& traits : AllOpTraits()) {
    const int count = kinds[static_cast<std::size_t>(traits.kind)];
    std::cout << traits.text << " x" << count << " ";
    EXPECT_EQ(count > 0, !IsCommunication(traits.kind)) << traits.text;
  }
  std::cout << ", " << cells << " cells, " << old_versions << " reads of old versions\n";
  EXPECT_GT(cells, 100);
  EXPECT_GT(old_versions, 100);
  EXPECT_GT(replicated, 0);
}

TEST(RandomSchedules, RepeatWithTheirSeed) {
  test::RandomSchedules a(7);
  test::RandomSchedules b(7);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(a.Next(), b.Next());
  }
}

}  // namespace
}  // namespace stagecraft
