#include "sim/durations.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

TEST(AtSpeed, DividesAndRoundsToTheNearestNanosecond) {
  EXPECT_EQ(AtSpeed(Nanoseconds(10), 1), Nanoseconds(10));
  EXPECT_EQ(AtSpeed(Nanoseconds(10), 0.5), Nanoseconds(20));
  EXPECT_EQ(AtSpeed(Nanoseconds(10), 3), Nanoseconds(3));
  EXPECT_EQ(AtSpeed(Nanoseconds(11), 3), Nanoseconds(4));
  EXPECT_EQ(AtSpeed(Nanoseconds(0), 0.1), Nanoseconds(0));
}

TEST(HoldTime, IsBytesOverBandwidthAndNothingWithoutOne) {
  EXPECT_EQ(HoldTime(1'000'000, {.bandwidth = 1e9}), std::chrono::milliseconds(1));
  EXPECT_EQ(HoldTime(1, {.bandwidth = 3e9}), Nanoseconds(0));
  EXPECT_EQ(HoldTime(1'000'000, {}), Nanoseconds(0));
}

TEST(CostOf, EachKindHasACostOfItsOwnButForTransfers) {
  StageCosts stage;
  std::int64_t next = 0;
  for (const OpTraits& op : AllOpTraits()) {
    if (Nanoseconds StageCosts::*const cost = CostMemberOf(op.kind); cost != nullptr) {
      stage.*cost = Nanoseconds(++next);
    }
  }
  EXPECT_EQ(next, 8) << "no two kinds share one";
  EXPECT_EQ(CostOf(stage, OpKind::kForward), stage.forward);
  EXPECT_EQ(CostOf(stage, OpKind::kAllReduce), Nanoseconds(8));
  EXPECT_EQ(CostOf(stage, OpKind::kSendForward), Nanoseconds(0));
  EXPECT_EQ(CostOf(stage, OpKind::kRecvBackward), Nanoseconds(0));
}

TEST(BytesOf, AGradientIsAsLargeAsTheOutputItBelongsTo) {
  Costs costs;
  costs.stages.resize(2);
  costs.stages[0].sizes.output_bytes = 7;
  costs.stages[1].sizes.output_bytes = 9;
  Op send;
  send.kind = OpKind::kSendForward;
  EXPECT_EQ(BytesOf(send, costs), 7);
  send.kind = OpKind::kSendBackward;
  send.stage = 1;
  EXPECT_EQ(BytesOf(send, costs), 7);
}

TEST(CellCost, IsTheSumUnlessTheFirstMemberHasAJoinedCost) {
  const Schedule schedule = test::Programs(2, {"0: 0F0@0 (0F1@0;0B0@0) 0B1@0 0S@0"});
  Costs costs = test::EqualCosts(schedule, 1, 2);
  const std::span<const Op> cell(schedule.programs[0].data() + 1, 2);
  EXPECT_EQ(CellCost(cell, costs), 3 * test::kTick);
  costs.stages[0].joined = test::kTick;
  EXPECT_EQ(CellCost(cell, costs), test::kTick);
  EXPECT_EQ(CellCost(cell.subspan(0, 1), costs), test::kTick);  // One op alone: F.
  EXPECT_EQ(CellCost(cell.subspan(1, 1), costs), 2 * test::kTick);
}

class CheckCostsTest : public testing::Test {
 protected:
  std::string Faults() const { return test::Texts(CheckCosts(schedule_, costs_, topology_)); }

  Schedule schedule_ = Lower(test::Make("1f1b", {.ranks = 2, .microbatches = 2}));
  Costs costs_ = test::EqualCosts(schedule_, 1, 2);
  Topology topology_;
};

TEST_F(CheckCostsTest, AcceptsWhatIsInRange) {
  EXPECT_EQ(Faults(), "");
  topology_ = {.latency = kMaxDuration, .bandwidth = 1e12, .speed = {0.5}};
  EXPECT_EQ(Faults(), "");
}

TEST_F(CheckCostsTest, WantsAnEntryPerStage) {
  costs_.stages.pop_back();
  EXPECT_EQ(Faults(), "costs: error: costs of 1 stages for a schedule of 2; expected one each\n");
}

TEST_F(CheckCostsTest, NamesEveryNumberOutOfRange) {
  costs_.stages[0].forward = Nanoseconds(-1);
  costs_.stages[1].step = kMaxDuration + Nanoseconds(1);
  costs_.stages[1].sizes.output_bytes = -5;
  costs_.microbatch_size = 0;
  topology_.speed = {1, 0, 1};
  topology_.bandwidth = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Faults(),
            "stage 0: error: forward takes -1 ns; expected 0 to 3600000000000\n"
            "stage 1: error: step takes 3600000000001 ns; expected 0 to 3600000000000\n"
            "stage 1: error: output_bytes is -5; expected 0 to 1125899906842624\n"
            "topology: error: bandwidth inf bytes/s; expected more than 0, or 0 for transfers that "
            "take the latency only\n"
            "topology: error: a speed for rank 2; expected ranks 0 to 1\n"
            "rank 1: error: speed 0; expected more than 0\n"
            "costs: error: micro-batch size 0; expected more than 0 samples\n");
}

TEST_F(CheckCostsTest, RefusesSumsThatWouldOverflow) {
  topology_.speed = {1e-9, 1};
  costs_.stages[0].forward = kMaxDuration;
  EXPECT_NE(Faults(), "");
  topology_ = {.bandwidth = 1e-300};
  costs_ = test::EqualCosts(schedule_, 1, 2);
  costs_.stages[0].sizes.output_bytes = 1;
  EXPECT_NE(Faults(), "");
}

}  // namespace
}  // namespace stagecraft
