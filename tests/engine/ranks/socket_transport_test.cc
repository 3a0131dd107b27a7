#include "engine/ranks/socket_transport.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/failure.h"

namespace stagecraft {
namespace {

constexpr Tag kFirst{OpKind::kSendForward, 0, 1};
constexpr Tag kSecond{OpKind::kSendBackward, 1, 2};

struct Ends {
  Descriptor zero, one;
};

Ends MakeEnds() {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// With and without waiting briefly before a rank sleeps.
class SocketTransports : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<SocketTransport> Connect(
      std::int32_t rank, std::int32_t peer, Descriptor socket,
      std::chrono::nanoseconds deadline = std::chrono::minutes(1)) {
    std::map<std::int32_t, Descriptor> sockets;
    sockets[peer] = std::move(socket);
    return std::make_unique<SocketTransport>(rank, std::move(sockets), deadline, GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Waiting, SocketTransports, testing::Bool());

std::string ErrorOf(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_P(SocketTransports, CarriesTensorsOfAnySizeBothWays) {
  Ends ends = MakeEnds();
  const auto zero = Connect(0, 1, std::move(ends.zero));
  const auto one = Connect(1, 0, std::move(ends.one));
  // Far more than the buffers of a socket hold: neither side waits for the other to read.
  constexpr std::size_t kLarge = std::size_t{8} << 20;
  for (const auto& [from, to] : {std::pair(zero.get(), 1), std::pair(one.get(), 0)}) {
    Boundary large = MakeBoundary(kLarge);
    std::memset(large.data, 7, kLarge);
    from->Send(to, kFirst, std::move(large));
    from->Send(to, kSecond, {});
  }
  for (const auto& [to, from] : {std::pair(one.get(), 0), std::pair(zero.get(), 1)}) {
    EXPECT_EQ(to->Receive(from, kSecond).tensor.bytes, 0U);  // Out of order on purpose.
    const Boundary large = to->Receive(from, kFirst).tensor;
    ASSERT_EQ(large.bytes, kLarge);
    EXPECT_EQ(large.data[kLarge - 1], std::byte{7});
  }
}

TEST_P(SocketTransports, DeliversWhatWasSentBeforeTheEnd) {
  Ends ends = MakeEnds();
  const auto one = Connect(1, 0, std::move(ends.one));
  {
    const auto zero = Connect(0, 1, std::move(ends.zero));
    zero->Send(1, kFirst, MakeBoundary(5));
  }
  EXPECT_EQ(one->Receive(0, kFirst).tensor.bytes, 5U);
  EXPECT_EQ(ErrorOf([&] { one->Receive(0, kSecond); }),
            "waited for 1SEND_B2, but rank 0 has ended");
}

TEST_P(SocketTransports, RefusesWhatIsNoFrameOrImpossiblyLarge) {
  Frame impossible;
  impossible.bytes = kMaxFramePayload + 1;
  for (const FrameHeader& header : {FrameHeader{}, Encode(impossible)}) {
    Ends ends = MakeEnds();
    const auto one = Connect(1, 0, std::move(ends.one));
    ASSERT_EQ(send(ends.zero.Get(), header.data(), header.size(), 0),
              static_cast<ssize_t>(header.size()));
    EXPECT_EQ(ErrorOf([&] { one->Receive(0, kFirst); }),
              "waited for 0SEND_F1, but rank 0 sent something that is no frame");
  }
}

TEST_P(SocketTransports, GoesBackAndForth) {
  Ends ends = MakeEnds();
  constexpr std::int32_t kTimes = 200;
  const auto zero = Connect(0, 1, std::move(ends.zero));
  const auto one = Connect(1, 0, std::move(ends.one));
  std::thread other([&] {
    for (std::int32_t i = 0; i < kTimes; ++i) {
      one->Send(0, {OpKind::kSendBackward, 1, i},
                one->Receive(0, {OpKind::kSendForward, 0, i}).tensor);
    }
  });
  for (std::int32_t i = 0; i < kTimes; ++i) {
    // Now and then more than a socket holds.
    zero->Send(1, {OpKind::kSendForward, 0, i}, MakeBoundary(i % 20 == 0 ? 1 << 20 : 100));
    EXPECT_EQ(zero->Receive(1, {OpKind::kSendBackward, 1, i}).tensor.bytes,
              i % 20 == 0 ? 1U << 20U : 100U);
  }
  other.join();
}

TEST_P(SocketTransports, GivesUpAtTheDeadline) {
  Ends ends = MakeEnds();
  const auto one = Connect(1, 0, std::move(ends.one), std::chrono::milliseconds(5));
  EXPECT_EQ(ErrorOf([&] { one->Receive(0, kFirst); }),
            "waited 5 ms for 0SEND_F1 of rank 0; expected it within that deadline");
}

TEST_P(SocketTransports, EndsTheJobEverywhere) {
  Ends ends = MakeEnds();
  const auto zero = Connect(0, 1, std::move(ends.zero));
  const auto one = Connect(1, 0, std::move(ends.one));
  zero->Abort();
  EXPECT_THROW(one->Receive(0, kFirst), Aborted);
  EXPECT_THROW(zero->Receive(1, kFirst), Aborted);
}

TEST_P(SocketTransports, AddsUpInTheOrderOfTheMembers) {
  Ends ends = MakeEnds();
  const auto zero = Connect(0, 1, std::move(ends.zero));
  const auto one = Connect(1, 0, std::move(ends.one));
  constexpr std::array<std::int32_t, 2> kMembers = {0, 1};
  std::array<double, 2> of_zero = {1e16, 1};
  std::array<double, 2> of_one = {1, -1e16};
  std::thread other([&] { one->AllReduce(kMembers, 3, of_one); });
  zero->AllReduce(kMembers, 3, of_zero);
  other.join();
  const std::array<double, 2> sum = {1e16 + 1.0, 1 - 1e16};
  EXPECT_EQ(of_zero, sum);
  EXPECT_EQ(of_one, sum);
}

}  // namespace
}  // namespace stagecraft
