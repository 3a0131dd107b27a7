#include "engine/ranks/nccl_transport.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/ranks/peers.h"
#include "schedules/lower.h"
#include "tests/engine/fake_nccl.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::FakeDevice;
using test::FakeNccl;
using test::Make;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr std::chrono::seconds kDeadline(20);

/// Two ranks in this process, each with what it needs for a transport.
class TwoRanks : public ::testing::Test {
 protected:
  struct Rank {
    FakeDevice device;
    std::unique_ptr<FakeNccl> nccl;
    std::unique_ptr<SocketTransport> sockets;
    std::unique_ptr<NcclTransport> transport;
  };

  void Prepare(const FakeNccl::Faults& first = {}, const FakeNccl::Faults& second = {}) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    for (int rank = 0; rank < 2; ++rank) {
      Rank& each = ranks_[rank];
      each.nccl = std::make_unique<FakeNccl>(fabric_, each.device, rank == 0 ? first : second);
      std::map<std::int32_t, Descriptor> sockets;
      sockets.emplace(1 - rank, Descriptor(ends[rank]));
      each.sockets = std::make_unique<SocketTransport>(rank, std::move(sockets), kDeadline);
    }
  }

  /// Runs `call` for both ranks at once; what each throws.
  std::vector<std::string> Both(const std::function<void(int rank)>& call) {
    std::vector<std::string> errors(2);
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < 2; ++rank) {
      threads.emplace_back([&, rank] {
        try {
          call(rank);
        } catch (const std::exception& error) {
          errors[static_cast<std::size_t>(rank)] = error.what();
        }
      });
    }
    threads.clear();
    return errors;
  }

  std::vector<std::string> Connect(NcclOptions options = {.deadline = kDeadline}) {
    return Both([&](int rank) {
      Rank& each = ranks_[rank];
      each.transport = std::make_unique<NcclTransport>(
          rank, plan_, NcclParts{*each.sockets, each.device, *each.nccl}, options);
    });
  }

  Boundary Tensor(int rank, double value) {
    FakeDevice& device = ranks_[rank].device;
    Boundary tensor = device.Allocate(sizeof value);
    device.Launch(device.ComputeStream(),
                  [data = tensor.data, value] { std::memcpy(data, &value, sizeof value); });
    tensor.ready = device.Record(device.ComputeStream());
    return tensor;
  }

  /// What is in it, once it is there.
  double Value(int rank, const Boundary& tensor) {
    while (!ranks_[rank].device.IsDone(*tensor.ready)) {
      std::this_thread::yield();
    }
    double value = 0;
    std::memcpy(&value, tensor.data, sizeof value);
    return value;
  }

  ExecutionPlan plan_ = PlanExecution(Lower(Make("1f1b", {.ranks = 2, .microbatches = 4})));
  test::FakeFabric fabric_;
  Rank ranks_[2];
};

using NcclTransportTest = TwoRanks;

constexpr Tag kForward0{OpKind::kSendForward, 0, 0};
constexpr Tag kForward1{OpKind::kSendForward, 0, 1};

TEST_F(NcclTransportTest, EveryEdgeIsConnectedAndUsedInOneOrderOnAllRanks) {
  Prepare();
  EXPECT_THAT(Connect(), ElementsAre("", ""));
  EXPECT_THAT(ranks_[0].nccl->Calls(),
              ElementsAre("connect 0", "send 0", "connect 1", "receive 1"));
  EXPECT_THAT(ranks_[1].nccl->Calls(),
              ElementsAre("connect 0", "receive 0", "connect 1", "send 1"));
}

TEST_F(NcclTransportTest, ReplicasUseTheirCommunicatorForLittleAndForAWholePiece) {
  // NCCL may take another algorithm for a large piece, and connects it when it is first used.
  plan_ = PlanExecution(Lower(Make("pipedream", {.ranks = 2, .microbatches = 4, .replicas = {2}})));
  Prepare();
  EXPECT_THAT(Connect({.deadline = kDeadline, .piece_bytes = 512}), ElementsAre("", ""));
  for (const Rank& rank : ranks_) {
    EXPECT_THAT(rank.nccl->Calls(), ElementsAre("connect 0", "gather 8 of 0", "gather 512 of 0"));
  }
}

TEST_F(NcclTransportTest, AllReducesGoPieceByPiece) {
  plan_ = PlanExecution(Lower(Make("pipedream", {.ranks = 2, .microbatches = 4, .replicas = {2}})));
  Prepare();
  Connect({.deadline = kDeadline, .piece_bytes = 16});
  const std::vector<std::int32_t> members = {0, 1};
  std::vector<double> sums[2];
  Both([&](int rank) {
    FakeDevice& device = ranks_[rank].device;
    const Boundary values = device.Allocate(5 * sizeof(double));
    for (int i = 0; i < 5; ++i) {
      reinterpret_cast<double*>(values.data)[i] = 10 * rank + i;
    }
    ranks_[rank].transport->AllReduceOnDevice(members, 0, {values.data, 5, ElementType::kFloat64});
    Boundary tensor = values;
    tensor.ready = device.Record(device.ComputeStream());
    Value(rank, tensor);
    const auto* const sum = reinterpret_cast<const double*>(values.data);
    sums[rank].assign(sum, sum + 5);
  });
  // i of rank 0 and 10 + i of rank 1.
  EXPECT_THAT(sums[0], ElementsAre(10, 12, 14, 16, 18));
  EXPECT_EQ(sums[0], sums[1]);
  // Two doubles in each piece of 16 bytes, one in the last.
  const std::vector<std::string> calls = ranks_[0].nccl->Calls();
  EXPECT_THAT(std::vector(calls.end() - 3, calls.end()),
              ElementsAre("gather 16 of 0", "gather 16 of 0", "gather 8 of 0"));
}

TEST_F(NcclTransportTest, ReceivesArePostedAtOnceAndTakenInAnyOrder) {
  Prepare();
  Connect();
  NcclTransport& receiver = *ranks_[1].transport;
  receiver.PostReceive(0, kForward0, sizeof(double));
  receiver.PostReceive(0, kForward1, sizeof(double));
  EXPECT_EQ(ranks_[1].nccl->Calls().back(), "receive 0");
  EXPECT_EQ(ranks_[1].nccl->Calls().size(), 6U);  // Before anything was sent.
  ranks_[0].transport->Send(1, kForward0, Tensor(0, 7));
  ranks_[0].transport->Send(1, kForward1, Tensor(0, 8));
  EXPECT_EQ(Value(1, receiver.Receive(0, kForward1).tensor), 8);
  EXPECT_EQ(Value(1, receiver.Receive(0, kForward0).tensor), 7);
}

TEST_F(NcclTransportTest, WhatIsSentIsHeldUntilItHasGone) {
  Prepare();
  Connect();
  Boundary tensor = Tensor(0, 7);
  const std::weak_ptr<void> memory = tensor.owner;
  ranks_[0].transport->Send(1, kForward0, std::move(tensor));
  EXPECT_FALSE(memory.expired());
  ranks_[1].transport->PostReceive(0, kForward0, sizeof(double));
  EXPECT_EQ(Value(1, ranks_[1].transport->Receive(0, kForward0).tensor), 7);
  EXPECT_THAT(Both([&](int rank) { ranks_[rank].transport->Finish(); }), ElementsAre("", ""));
  EXPECT_TRUE(memory.expired());
}

TEST_F(NcclTransportTest, AfterGoodByesAllIsClosedInTheOrderOfConnecting) {
  Prepare();
  Connect();
  EXPECT_THAT(Both([&](int rank) { ranks_[rank].transport->Finish(); }), ElementsAre("", ""));
  for (Rank& rank : ranks_) {
    rank.transport.reset();
    const std::vector<std::string> calls = rank.nccl->Calls();
    EXPECT_THAT(std::vector(calls.end() - 4, calls.end()),
                ElementsAre("finalize 0", "destroy 0", "finalize 1", "destroy 1"));
  }
}

TEST_F(NcclTransportTest, AfterAFailureAllAreAbortedAtOnce) {
  // As NCCL's, an abort of one communicator ends only when that of the other has begun.
  FakeNccl::Faults faults;
  faults.aborts_that_meet = 2;
  Prepare(faults, faults);
  Connect();
  ranks_[0].transport->Abort();
  EXPECT_THROW(ranks_[0].transport->Check(), Aborted);
  while (true) {
    try {
      ranks_[1].transport->Check();
      std::this_thread::yield();
    } catch (const Aborted&) {
      break;
    }
  }
  for (Rank& rank : ranks_) {
    rank.transport.reset();
    std::vector<std::string> calls = rank.nccl->Calls();
    calls.erase(calls.begin(), calls.begin() + 4);  // Of connecting.
    EXPECT_THAT(calls, UnorderedElementsAre("abort 0", "abort 1"));
  }
}

TEST_F(NcclTransportTest, APeerThatIsGoneIsNoticedThoughNcclDoesNotSay) {
  Prepare();
  Connect();
  ranks_[1].transport->PostReceive(0, kForward0, sizeof(double));
  ranks_[0].transport.reset();
  ranks_[0].sockets.reset();  // As when its process ends.
  const Received received = ranks_[1].transport->Receive(0, kForward0);
  EXPECT_FALSE(ranks_[1].device.IsDone(*received.tensor.ready));
  while (true) {
    try {
      ranks_[1].transport->Check();
      std::this_thread::yield();
    } catch (const PeerLost& error) {
      EXPECT_STREQ(error.what(), "rank 0 has ended");
      break;
    }
  }
}

TEST_F(NcclTransportTest, APeerThatNeverJoinsIsMissedAtTheDeadline) {
  Prepare();
  Rank& alone = ranks_[1];
  try {
    const NcclOptions options{.deadline = std::chrono::milliseconds(20)};
    std::map<std::int32_t, Descriptor> none;
    // Rank 0 says how to join, and then nothing more.
    Boundary id = MakeBoundary(sizeof(Nccl::Id));
    std::memcpy(id.data, ranks_[0].nccl->MakeId().data(), id.bytes);
    ranks_[0].sockets->Send(1, {OpKind::kSendForward, 0, -1}, std::move(id));
    NcclTransport(1, plan_, NcclParts{*alone.sockets, alone.device, *alone.nccl}, options);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "waited 20 ms for NCCL on 0>1; expected it within that deadline");
  }
  EXPECT_EQ(alone.nccl->Calls().back(), "abort 0");
}

TEST_F(NcclTransportTest, AnIdOfAnotherSizeIsRefused) {
  Prepare();
  ranks_[0].sockets->Send(1, {OpKind::kSendForward, 0, -1}, MakeBoundary(3));
  try {
    NcclTransport(1, plan_, NcclParts{*ranks_[1].sockets, ranks_[1].device, *ranks_[1].nccl}, {});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "rank 0 sent 3 bytes to join 0>1; expected 128");
  }
}

TEST_F(NcclTransportTest, AReceiveOfUnknownSizeIsRefused) {
  Prepare();
  Connect();
  EXPECT_THROW(ranks_[1].transport->PostReceive(0, kForward0, 0), Error);
  EXPECT_THROW(ranks_[1].transport->Receive(0, kForward0), Error);
}

TEST_F(NcclTransportTest, WhatFailsWhileConnectingEndsTheOthersToo) {
  Prepare({}, {.fail_call = 1});
  const std::vector<std::string> errors = Connect();
  EXPECT_EQ(errors[0], "another rank ended the job");
  EXPECT_EQ(errors[1], "NCCL on 0>1: it was told to fail");
}

TEST_F(NcclTransportTest, AnAbortThatHangsEndsTheProcess) {
  FakeNccl::Faults hangs;
  hangs.abort_hangs = true;
  Prepare(hangs);
  std::string why;
  const NcclOptions options{.deadline = kDeadline,
                            .abort_deadline = std::chrono::milliseconds(20),
                            .exit_at_once = [&](const std::string& reason) {
                              why = reason;
                              ranks_[0].nccl->ReleaseAborts();
                            }};
  Connect(options);
  ranks_[0].transport->Abort();
  ranks_[0].transport.reset();
  EXPECT_EQ(why,
            "rank 0: NCCL has not ended within 20 ms after the job failed; the process ends now");
}

TEST(DirectedPairs, AreSendersAndReceivers) {
  const ExecutionPlan plan = PlanExecution(Lower(Make("1f1b", {.ranks = 3, .microbatches = 2})));
  EXPECT_THAT(DirectedPairs(plan),
              ElementsAre(std::pair(0, 1), std::pair(1, 0), std::pair(1, 2), std::pair(2, 1)));
}

}  // namespace
}  // namespace stagecraft
