#include "tests/support/random_schedule.h"

#include <array>
#include <cstdint>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "schedules/verify.h"
#include "sim/durations.h"
#include "tests/support/mutate.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

/// How often each feature was seen.
struct Features {
  std::array<int, kOpKinds> kinds{};
  int cells = 0;
  int old_versions = 0;

  void Count(const Program& program) {
    std::int32_t newest = 0;
    for (const Op& op : program) {
      ++kinds[static_cast<std::size_t>(op.kind)];
      cells += static_cast<int>(op.joined);
      newest = op.kind == OpKind::kStep ? op.version + 1 : newest;
      old_versions += static_cast<int>(op.kind == OpKind::kForward && op.version < newest);
    }
  }
};

TEST(RandomSchedules, AreValidAndShowEveryFeature) {
  constexpr int kSchedules = 2000;
  test::RandomSchedules random(test::SeedFromEnvironment(3));
  Features seen;
  for (int i = 0; i < kSchedules; ++i) {
    const Schedule schedule = random.Next();
    ASSERT_EQ(test::Texts(Verify(schedule)), "") << Print(schedule);
    const Costs costs = random.CostsFor(schedule);
    ASSERT_EQ(test::Texts(CheckCosts(schedule, costs, random.TopologyFor(schedule))), "");
    for (const Program& program : schedule.programs) {
      seen.Count(program);
    }
  }
  for (const OpTraits& traits : AllOpTraits()) {
    const int count = seen.kinds[static_cast<std::size_t>(traits.kind)];
    std::cout << traits.text << " x" << count << " ";
    EXPECT_EQ(count > 0, !IsCommunication(traits.kind)) << traits.text;
  }
  std::cout << ", " << seen.cells << " cells, " << seen.old_versions << " reads of old versions\n";
  EXPECT_GT(seen.cells, 100);
  EXPECT_GT(seen.old_versions, 100);
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
