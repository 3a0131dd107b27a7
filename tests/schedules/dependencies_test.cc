#include "schedules/dependencies.h"

#include <string>

#include <gtest/gtest.h>

#include "schedules/schedule.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::Programs;

/// The input of every op of one rank, by text: `1B0@0` or `-`; with `@` the rank it stands on.
std::string Inputs(const Schedule& schedule, std::int32_t rank) {
  const Dependencies found = FindDependencies(schedule);
  std::string line;
  for (const OpRef input : found.input.Of(rank)) {
    line += line.empty() ? "" : " ";
    line += input ? ToString(schedule.At(input)) + "/" + std::to_string(input.rank) : "-";
  }
  return line;
}

TEST(Dependencies, ComputeOpsWaitForTheirNeighbourStages) {
  // The table of dependencies.h without communication, op by op.
  const Schedule schedule =
      Programs(1, {"0: 0F0@0 0R0@0 0I0@0 0W0@0 0S@0", "1: 1F0@0 1P@0+1 1B0@0 1S@0"});
  EXPECT_EQ(Inputs(schedule, 0), "- 0F0@0/0 1B0@0/1 0I0@0/0 -");
  EXPECT_EQ(Inputs(schedule, 1), "0F0@0/0 - - -");
  EXPECT_TRUE(FindDependencies(schedule).collectives.empty());
}

TEST(Dependencies, TransfersStandBetween) {
  const Schedule schedule = Programs(
      1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0", "1: 1RECV_F0 1F0@0 1I0@0 1SEND_B0 1W0@0 1S@0"});
  EXPECT_EQ(Inputs(schedule, 0), "- 0F0@0/0 1SEND_B0/1 0RECV_B0/0 -");
  EXPECT_EQ(Inputs(schedule, 1), "0SEND_F0/0 1RECV_F0/1 - 1I0@0/1 1I0@0/1 -");
  const Dependencies found = FindDependencies(schedule);
  EXPECT_EQ((found.matching_recv[{0, 1}]), (OpRef{1, 0}));
  EXPECT_EQ((found.matching_recv[{1, 3}]), (OpRef{0, 2}));
  EXPECT_EQ((found.matching_recv[{0, 0}]), kNoOp);
}

TEST(Dependencies, NeighboursOnOneRankNeedNoTransfer) {
  // A V: stages 0 and 3 on rank 0, 1 and 2 on rank 1.
  const Schedule schedule =
      Programs(1, {"0 3: 0F0@0 0SEND_F0 3RECV_F0 3F0@0 3B0@0 3SEND_B0 0RECV_B0 0B0@0",
                   "1 2: 1RECV_F0 1F0@0 2F0@0 2SEND_F0 2RECV_B0 2B0@0 1B0@0 1SEND_B0"});
  EXPECT_EQ(Inputs(schedule, 1),
            "0SEND_F0/0 1RECV_F0/1 1F0@0/1 2F0@0/1 3SEND_B0/0 2RECV_B0/1 2B0@0/1 1B0@0/1");
}

TEST(Dependencies, ARecvOnAnotherRankIsNotUsed) {
  // Stage 1 stands on both ranks; its F runs on rank 0, so the RECV on rank 1 is not its input.
  const Schedule schedule = Programs(1, {"0 1: 0F0@0 1F0@0", "1: 1RECV_F0"});
  EXPECT_EQ(Inputs(schedule, 0), "- 0F0@0/0");
}

TEST(Dependencies, OfDuplicatesTheFirstCounts) {
  const Schedule schedule = Programs(1, {"0: 0F0@0 0F0@0 0SEND_F0", "1: 1RECV_F0 1RECV_F0 1F0@0"});
  const Dependencies found = FindDependencies(schedule);
  EXPECT_EQ((found.input[{0, 2}]), (OpRef{0, 0}));
  EXPECT_EQ((found.input[{1, 2}]), (OpRef{1, 0}));
  EXPECT_EQ((found.matching_recv[{0, 2}]), (OpRef{1, 0}));
  EXPECT_EQ((found.input[{1, 1}]), (OpRef{0, 2}));
}

TEST(Dependencies, MissingOpsLeaveNoInput) {
  const Schedule schedule = Programs(2, {"0: 0B0@0 0W1@0 0R1@0 0SEND_F0", "1: 1F1@0 1RECV_B1"});
  EXPECT_EQ(Inputs(schedule, 0), "- - - -");
  EXPECT_EQ(Inputs(schedule, 1), "- -");
}

TEST(Dependencies, SkipOpsOutOfRange) {
  Schedule schedule = Programs(1, {"0: 0F0@0", "1: 1F0@0 1B0@0"});
  schedule.programs[0][0].stage = -1;
  schedule.programs[1][0].stage = 2147483647;
  schedule.programs[1][1].microbatch = -2147483647 - 1;
  EXPECT_EQ(Inputs(schedule, 0), "-");
  EXPECT_EQ(Inputs(schedule, 1), "- -");
}

TEST(Dependencies, RefuseAShapeOutOfProportion) {
  Schedule schedule = Programs(1, {"0: 0F0@0", "1: 1F0@0"});
  EXPECT_TRUE(IsDense(schedule));
  EXPECT_TRUE((FindDependencies(schedule).input[{1, 0}]));
  schedule.shape.microbatches = kMaxDensePairs / 2;  // Two stages: just as many as allowed.
  EXPECT_TRUE(IsDense(schedule));
  EXPECT_TRUE((FindDependencies(schedule).input[{1, 0}]));
  ++schedule.shape.microbatches;
  EXPECT_FALSE(IsDense(schedule));
  EXPECT_FALSE((FindDependencies(schedule).input[{1, 0}]));
  schedule.shape = {2, 2147483647, 2147483647};
  EXPECT_FALSE(IsDense(schedule));
  EXPECT_EQ(FindDependencies(schedule).input.size(), 2U);
}

TEST(Dependencies, ProportionGrowsWithTheOps) {
  // n ops allow 2 n pairs: one stage, 1.5 n micro-batches.
  Schedule schedule = Programs(1, {"0: 0F0@0"});
  schedule.programs[0].resize(static_cast<std::size_t>(kMaxDensePairs));
  schedule.shape.microbatches = kMaxDensePairs / 2 * 3;
  EXPECT_TRUE(IsDense(schedule));
  schedule.shape.microbatches = 2 * kMaxDensePairs + 1;
  EXPECT_FALSE(IsDense(schedule));
}

TEST(Dependencies, CollectivesPairTheKthAllReduces) {
  // Stage 1 stands on ranks 1 and 2, stage 0 on rank 0 only but with an A of its own.
  const Schedule schedule = Programs(1, {"0: 0A@0", "1: 1A@0 1S@0 1A@1", "1: 1S@0 1A@0 1A@1 1A@2"});
  const Dependencies found = FindDependencies(schedule);
  ASSERT_EQ(found.collectives.size(), 4U);
  EXPECT_EQ(found.collectives[0].stage, 0);
  EXPECT_EQ(found.collectives[0].members, (std::vector<OpRef>{{0, 0}}));
  EXPECT_EQ(found.collectives[1].stage, 1);
  EXPECT_EQ(found.collectives[1].members, (std::vector<OpRef>{{1, 0}, {2, 1}}));
  EXPECT_EQ(found.collectives[2].members, (std::vector<OpRef>{{1, 2}, {2, 2}}));
  EXPECT_EQ(found.collectives[3].members, (std::vector<OpRef>{{2, 3}}));
  EXPECT_EQ(std::vector<std::int32_t>(found.collective.begin(), found.collective.end()),
            (std::vector<std::int32_t>{0, 1, -1, 2, -1, 1, 2, 3}));
}

TEST(Cells, BeginAndEndSpanTheJoinedOps) {
  const Schedule schedule = Programs(3, {"0: 0F0@0 (0F1@0;0B0@0;0F2@0) 0B1@0 (0W1@0;0W2@0)"});
  const Program& program = schedule.programs[0];
  EXPECT_EQ(CellBegin(program, 0), 0);
  EXPECT_EQ(CellEnd(program, 0), 1);
  for (const std::int32_t index : {1, 2, 3}) {
    EXPECT_EQ(CellBegin(program, index), 1);
    EXPECT_EQ(CellEnd(program, index), 4);
  }
  EXPECT_EQ(CellBegin(program, 4), 4);
  EXPECT_EQ(CellEnd(program, 4), 5);
  EXPECT_EQ(CellBegin(program, 6), 5);
  EXPECT_EQ(CellEnd(program, 5), 7);
}

TEST(Cells, AJoinedLastOpEndsWithTheProgram) {
  Schedule schedule = Programs(1, {"0: 0F0@0 0B0@0"});
  schedule.programs[0][1].joined = true;
  EXPECT_EQ(CellEnd(schedule.programs[0], 1), 2);
}

}  // namespace
}  // namespace stagecraft
