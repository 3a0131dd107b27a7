#include "schedules/schedule.h"

#include <gtest/gtest.h>

#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Programs;

TEST(Schedule, ComparesEverythingButNameAndSource) {
  const Schedule schedule = Programs(1, {"0: 0F0@0 0B0@0 0S@0"});
  Schedule other = schedule;
  other.name = "other";
  other.source = "elsewhere";
  EXPECT_EQ(other, schedule);
  other.mode = Mode::kForward;
  EXPECT_FALSE(other == schedule);
  other = schedule;
  other.shape.microbatches = 2;
  EXPECT_FALSE(other == schedule);
  other = schedule;
  other.placement[0].push_back(0);
  EXPECT_FALSE(other == schedule);
  other = schedule;
  other.programs[0][1].version = 1;
  EXPECT_FALSE(other == schedule);
}

TEST(Schedule, AtGivesTheOpOfARank) {
  const Schedule schedule = Programs(1, {"0: 0F0@0", "1: 1F0@0 1B0@0"});
  EXPECT_EQ(ToString(schedule.At({1, 1})), "1B0@0");
}

TEST(StraightPlacement, PutsStageROnRankR) {
  EXPECT_EQ(StraightPlacement(3), (Table<Table<std::int32_t>>{{0}, {1}, {2}}));
}

TEST(RanksOfStages, ListsEveryHolderAscending) {
  // Ranks 0 and 2 hold stage 0, rank 1 holds stages 2 and 1.
  const Schedule schedule = Programs(1, {"0:", "2 1:", "0:"});
  EXPECT_EQ(RanksOfStages(schedule), (Table<Table<std::int32_t>>{{0, 2}, {1}, {1}}));
}

TEST(HasCommunication, SeesASingleSendOrRecv) {
  EXPECT_FALSE(HasCommunication(Programs(1, {"0: 0F0@0", "1: 1F0@0 1A@0 1P@0+1"})));
  EXPECT_TRUE(HasCommunication(Programs(1, {"0: 0F0@0", "1: 1RECV_F0 1F0@0"})));
  EXPECT_TRUE(HasCommunication(Programs(1, {"0: 0F0@0 0SEND_F0", "1: 1F0@0"})));
}

TEST(KindsOf, AreThoseThatStandInAnyProgram) {
  Schedule schedule;
  schedule.programs = {{{.kind = OpKind::kForward}}, {{.kind = OpKind::kStep}}};
  const OpKinds kinds = KindsOf(schedule);
  EXPECT_TRUE(kinds.Has(OpKind::kForward));
  EXPECT_TRUE(kinds.Has(OpKind::kStep));
  EXPECT_FALSE(kinds.Has(OpKind::kBackward));
  EXPECT_FALSE(KindsOf({}).Has(OpKind::kForward));
  for (const OpTraits& traits : AllOpTraits()) {
    EXPECT_TRUE(OpKinds::All().Has(traits.kind));
  }
}

TEST(HasCells, SeesASingleJoinedOp) {
  Schedule schedule;
  schedule.programs = {{{.kind = OpKind::kForward}}, {{.kind = OpKind::kBackward}}};
  EXPECT_FALSE(HasCells(schedule));
  schedule.programs[1][0].joined = true;
  EXPECT_TRUE(HasCells(schedule));
}

TEST(OpIds, NumberOpsRankByRank) {
  // Rank 1 has no ops, so id 2 is the first op of rank 2.
  const Schedule schedule = Programs(1, {"0: 0F0@0 0B0@0", "1:", "2: 2F0@0 2B0@0 2S@0"});
  const OpIds ids(schedule);
  EXPECT_EQ(ids.Size(), 5);
  EXPECT_EQ(ids.Begin(1), 2);
  EXPECT_EQ(ids.Begin(2), 2);
  EXPECT_EQ(ids.Of({2, 1}), 3);
  EXPECT_EQ(ids.At(0), (OpRef{0, 0}));
  EXPECT_EQ(ids.At(1), (OpRef{0, 1}));
  EXPECT_EQ(ids.At(2), (OpRef{2, 0}));
  EXPECT_EQ(ids.At(4), (OpRef{2, 2}));
}

}  // namespace
}  // namespace stagecraft
