#include "sim/dry_run.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "schedules/schedule.h"
#include "schedules/torch_csv.h"
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
  for (Program& program : schedule.programs) {
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

TEST(DryRunSteps, OfAVWithTransfersAreTorchsToo) {
  // The other published case: 4 stages on a V of 2 ranks. Again an idle step on rank 1 makes torch
  // post its second receive before 1F0.
  const std::string rank0 =
      "0F0,0SEND_F0,0F1,0SEND_F1,3RECV_F0,3F0,3I0,3SEND_B0,3RECV_F1,3F1,3I1,3SEND_B1,0RECV_B0,0I0,"
      "3W0,0RECV_B1,0I1,3W1,0W0,0W1\n";
  const std::string rest =
      "2F0,2SEND_F0,1F1,2RECV_B0,2F1,2SEND_F1,2I0,2RECV_B1,1I0,1SEND_B0,2I1,1I1,1SEND_B1,2W0,2W1,"
      "1W0,1W1\n";
  const auto read = [](const std::string& text) {
    return ParseTorchCsv(text, "x.csv").value.value_or(TorchSchedule{}).schedule;
  };
  EXPECT_EQ(DryRunSteps(read(rank0 + "1RECV_F0,1RECV_F1,1F0," + rest)), 24);
  // Without the idle step, action by action as we lower it.
  const Schedule lowered = read(rank0 + "1RECV_F0,1F0,1RECV_F1," + rest);
  EXPECT_EQ(DryRunSteps(lowered), 23);
  EXPECT_EQ(Lower(EraseCommunication(lowered)), lowered);
}

TEST(DryRunSteps, NothingIfItIsStuck) {
  EXPECT_FALSE(DryRunSteps(Programs(1, {"0: 0B0@0 0F0@0 0S@0", "1: 1F0@0 1B0@0 1S@0"})));
}

}  // namespace
}  // namespace stagecraft
