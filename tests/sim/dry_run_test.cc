#include "sim/dry_run.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Make;
using test::Programs;

/// Steps of torch's dry run, as torch 2.15 counts them (p = 4, m = 8).
std::int64_t Steps(const char* name, GeneratorOptions options = {}) {
  options.ranks = 4;
  options.microbatches = 8;
  return DryRunSteps(Lower(Make(name, options))).value_or(-1);
}

TEST(DryRunSteps, AreTorchs) {
  EXPECT_EQ(Steps("gpipe"), 56);
  EXPECT_EQ(Steps("1f1b"), 61);
  EXPECT_EQ(Steps("interleaved-1f1b"), 148);
  EXPECT_EQ(Steps("zb-h1"), 67);
  EXPECT_EQ(Steps("zb-v"), 133);
  EXPECT_EQ(Steps("dualpipe-v"), 122);
}

TEST(DryRunSteps, OfTorchsBreadthFirstAreTorchs) {
  // It runs the backwards of a stage in descending order.
  Schedule schedule = Make("breadth-first", {.ranks = 4, .microbatches = 8});
  for (std::vector<Op>& program : schedule.programs) {
    for (Op& op : program) {
      op.microbatch = op.kind == OpKind::kBackward ? 7 - op.microbatch : op.microbatch;
    }
  }
  EXPECT_EQ(DryRunSteps(Lower(schedule)), 144);
}

TEST(DryRunSteps, OfListsWithTransfersAreTorchsToo) {
  // A published case: its idle step on rank 1 makes torch post the second receive earlier.
  const char* const rank0 = "0: 0F0@0 0SEND_F0 0F1@0 0SEND_F1 0RECV_B0 0B0@0 0RECV_B1 0B1@0 0S@0";
  EXPECT_EQ(DryRunSteps(Programs(2, {rank0,
                                     "1: 1RECV_F0 1RECV_F1 1F0@0 1B0@0 1SEND_B0 1F1@0 1B1@0 "
                                     "1SEND_B1 1S@0"})),
            11);
  // Without the idle step, as we lower it.
  EXPECT_EQ(DryRunSteps(Programs(2, {rank0,
                                     "1: 1RECV_F0 1F0@0 1RECV_F1 1B0@0 1SEND_B0 1F1@0 1B1@0 "
                                     "1SEND_B1 1S@0"})),
            10);
}

TEST(DryRunSteps, NothingIfItIsStuck) {
  EXPECT_FALSE(DryRunSteps(Programs(1, {"0: 0B0@0 0F0@0 0S@0", "1: 1F0@0 1B0@0 1S@0"})));
}

}  // namespace
}  // namespace stagecraft
