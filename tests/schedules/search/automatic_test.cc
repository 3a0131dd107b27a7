#include "schedules/search/automatic.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/schedule.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::List;
using test::Make;
using test::Texts;

TEST(MakeAutomatic, KeepsALimitInSets) {
  for (const double limit : {1.0, 3.0, 6.0}) {
    const Schedule schedule =
        Make("zb-auto", {.ranks = 4,
                         .microbatches = 8,
                         .limit = ActivationLimit{limit, ActivationLimit::Unit::kSets}});
    for (const std::int32_t sets : PeakActivationSets(schedule)) {
      EXPECT_LE(sets, limit);
    }
  }
}

TEST(MakeAutomatic, KeepsALimitInBytes) {
  GeneratorOptions options{.ranks = 2, .microbatches = 6};
  options.estimates = {{5, 5, 5, 0, 100, 20}, {5, 5, 5, 0, 50, 0}};
  options.limit = ActivationLimit{250, ActivationLimit::Unit::kBytes};
  const Schedule schedule = Make("zb-auto", options);
  const std::vector<StageSizes> sizes = {
      {.activation_bytes = 100, .released_by_backward_input = 20}, {.activation_bytes = 50}};
  for (const RankMemory& rank : PeakMemory(schedule, sizes)) {
    EXPECT_LE(rank.peak_bytes, 250);
  }
}

TEST(MakeAutomatic, RepeatsItsOrderInEveryBatch) {
  const Schedule one = Make("zb-auto", {.ranks = 3, .microbatches = 5});
  const Schedule two = Make("zb-auto", {.ranks = 3, .microbatches = 5, .batches = 2});
  for (std::size_t rank = 0; rank < 3; ++rank) {
    const Program& first = one.programs[rank];
    ASSERT_EQ(two.programs[rank].size(), 2 * first.size());
    EXPECT_TRUE(std::equal(first.begin(), first.end(), two.programs[rank].begin()));
  }
}

TEST(RefuseAutomatic, SaysWhatDoesNotFit) {
  GeneratorOptions options{.ranks = 2, .microbatches = 6};
  options.estimates = {{5, 5, 5, 0, 100, 20}};
  EXPECT_EQ(Texts(Generate("zb-auto", options).diagnostics),
            "zb-auto: error: costs of 1 stages; expected those of 2\n");
  options.estimates = {{5, 5, 5, 0, 100, 20}, {5, 5, 5, 0, 50, 0}};
  options.limit = ActivationLimit{99, ActivationLimit::Unit::kBytes};
  EXPECT_EQ(Texts(Generate("zb-auto", options).diagnostics),
            "zb-auto: error: a `limit` of 99 bytes, but one micro-batch keeps 100 on rank 0; "
            "expected at least that\n");
}

}  // namespace
}  // namespace stagecraft
