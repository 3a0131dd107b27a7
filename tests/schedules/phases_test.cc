#include "schedules/phases.h"

#include <string>

#include <gtest/gtest.h>

#include "schedules/lower.h"
#include "schedules/schedule.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::ForwardPrograms;
using test::Make;
using test::Programs;

/// `warm-up | steady | cool-down` of one rank, as ops.
std::string Phases(const Schedule& schedule, std::size_t rank) {
  const RankPhases phases = FindPhases(schedule).at(rank);
  std::string line;
  const Program& program = schedule.programs[rank];
  for (std::size_t i = 0; i <= program.size(); ++i) {
    const auto index = static_cast<std::int32_t>(i);
    line += index == phases.steady ? "| " : "";
    line += index == phases.cool_down ? "| " : "";
    line += i < program.size() ? ToString(program[i]) + " " : "";
  }
  EXPECT_EQ(phases.warm_up, 0);
  return line;
}

TEST(FindPhases, OfOneFOneB) {
  const Schedule schedule = Make("1f1b", {.ranks = 3, .microbatches = 4});
  // p - 1 - rank forwards of warm-up; m - warm-up pairs.
  EXPECT_EQ(Phases(schedule, 0), "0F0@0 0F1@0 | 0F2@0 0B0@0 0F3@0 0B1@0 | 0B2@0 0B3@0 0S@0 ");
  EXPECT_EQ(Phases(schedule, 1), "1F0@0 | 1F1@0 1B0@0 1F2@0 1B1@0 1F3@0 1B2@0 | 1B3@0 1S@0 ");
  EXPECT_EQ(Phases(schedule, 2), "| 2F0@0 2B0@0 2F1@0 2B1@0 2F2@0 2B2@0 2F3@0 2B3@0 | 2S@0 ");
}

TEST(FindPhases, OfGPipeHasOnePairInTheMiddle) {
  EXPECT_EQ(Phases(Make("gpipe", {.ranks = 1, .microbatches = 3}), 0),
            "0F0@0 0F1@0 | 0F2@0 0B0@0 | 0B1@0 0B2@0 0S@0 ");
}

TEST(FindPhases, SeesThroughTransfersAndPredictions) {
  EXPECT_EQ(Phases(Make("pipeoptim", {.ranks = 2, .microbatches = 3}), 0),
            "0F0@0 0P@0+1 | 0F1@0+1 0B0@0 0S@0 0P@1+1 0F2@1+1 0B1@1 | 0S@1 0B2@2 0S@2 ");
  EXPECT_EQ(Phases(Lower(Make("1f1b", {.ranks = 2, .microbatches = 2})), 0),
            "0F0@0 0SEND_F0 | 0F1@0 0SEND_F1 0RECV_B0 0B0@0 | 0RECV_B1 0B1@0 0S@0 ");
}

TEST(FindPhases, SplitBackwardsBeginAtTheirI) {
  EXPECT_EQ(Phases(Programs(2, {"0: 0F0@0 0F1@0 0I0@0 0I1@0 0W0@0 0W1@0 0S@0"}), 0),
            "0F0@0 | 0F1@0 0I0@0 | 0I1@0 0W0@0 0W1@0 0S@0 ");
}

TEST(FindPhases, WithoutABackwardAllIsWarmUp) {
  EXPECT_EQ(Phases(ForwardPrograms(2, {"0: 0F0@0 0F1@0"}), 0), "0F0@0 0F1@0 | | ");
  EXPECT_EQ(Phases(Programs(1, {"0:"}), 0), "| | ");
}

TEST(FindPhases, CountsOpsByKind) {
  const RankPhases phases =
      FindPhases(Lower(Make("pipeoptim", {.ranks = 2, .microbatches = 3}))).at(0);
  const auto count = [&](OpKind kind) { return phases.counts[kind]; };
  EXPECT_EQ(count(OpKind::kForward), 3);
  EXPECT_EQ(count(OpKind::kBackward), 3);
  EXPECT_EQ(count(OpKind::kStep), 3);
  EXPECT_EQ(count(OpKind::kPredict), 2);
  EXPECT_EQ(count(OpKind::kSendForward), 3);
  EXPECT_EQ(count(OpKind::kRecvBackward), 3);
  EXPECT_EQ(count(OpKind::kRecvForward), 0);
  EXPECT_EQ(count(OpKind::kAllReduce), 0);
}

}  // namespace
}  // namespace stagecraft
