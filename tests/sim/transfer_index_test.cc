#include "sim/transfer_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cost_builder.h"

namespace stagecraft {
namespace {

TEST(IndexTransfers, MarksTheSendTheReceiveAndWhoWaits) {
  const Schedule lowered = test::Programs(
      1, {"0: 0F0@0 0SEND_F0 0RECV_B0 0B0@0 0S@0", "1: 1RECV_F0 1F0@0 1B0@0 1SEND_B0 1S@0"});
  const TransferIndex index = IndexTransfers(lowered, FindDependencies(lowered));
  ASSERT_EQ(index.transfers.size(), 2U);
  EXPECT_EQ(index.transfers[0].send, (OpRef{0, 1}));
  EXPECT_EQ(index.transfers[0].recv, (OpRef{1, 0}));
  EXPECT_EQ(index.transfers[1].send, (OpRef{1, 3}));
  EXPECT_EQ(index.transfers[1].recv, (OpRef{0, 2}));
  EXPECT_THAT(index.of_op, testing::ElementsAre(-1, 0, 1, 1, -1, 0, 0, -1, 1, -1));
}

TEST(IndexTransfers, IsEmptyWithoutCommunication) {
  const Schedule schedule = test::Make("sequential", {.ranks = 2, .microbatches = 2});
  const TransferIndex index = IndexTransfers(schedule, FindDependencies(schedule));
  EXPECT_TRUE(index.transfers.empty());
  EXPECT_THAT(index.of_op, testing::Each(kNoTransfer));
}

}  // namespace
}  // namespace stagecraft
