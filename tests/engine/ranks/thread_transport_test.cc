#include "engine/ranks/thread_transport.h"

#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "engine/failure.h"

namespace stagecraft {
namespace {

constexpr Tag kFirst{OpKind::kSendForward, 0, 1};
constexpr Tag kSecond{OpKind::kSendForward, 0, 2};

TEST(ThreadHub, HandsTensorsOverWithoutACopy) {
  ThreadHub hub(2, std::chrono::minutes(1));
  const auto sender = hub.End(0);
  const auto receiver = hub.End(1);
  Boundary tensor = MakeBoundary(8);
  const std::byte* const data = tensor.data;
  sender->Send(1, kFirst, std::move(tensor));
  EXPECT_EQ(receiver->Receive(0, kFirst).tensor.data, data);
}

TEST(ThreadHub, FindsTheTensorThatIsMeant) {
  ThreadHub hub(2, std::chrono::minutes(1));
  const auto sender = hub.End(0);
  const auto receiver = hub.End(1);
  sender->Send(1, kFirst, MakeBoundary(1));
  sender->Send(1, kSecond, MakeBoundary(2));
  EXPECT_EQ(receiver->Receive(0, kSecond).tensor.bytes, 2U);
  EXPECT_EQ(receiver->Receive(0, kFirst).tensor.bytes, 1U);
}

TEST(ThreadHub, AddsUpInTheOrderOfTheRanks) {
  // 1 + 1e16 - 1e16 depends on the order: by rank it is ((1e16 + 1) - 1e16) = 0.
  constexpr std::array<std::int32_t, 3> kMembers = {0, 1, 2};
  constexpr std::array<double, 3> kValues = {1e16, 1, -1e16};
  ThreadHub hub(3, std::chrono::minutes(1));
  std::array<std::vector<double>, 3> sums;
  std::vector<std::jthread> threads;
  for (std::int32_t rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&, rank] {
      const auto end = hub.End(rank);
      for (int turn = 0; turn < 100; ++turn) {
        double value = kValues[static_cast<std::size_t>(rank)] + turn;
        end->AllReduce(kMembers, 0, {&value, 1});
        sums[static_cast<std::size_t>(rank)].push_back(value);
      }
    });
  }
  threads.clear();
  std::vector<double> expected;
  for (int turn = 0; turn < 100; ++turn) {
    expected.push_back(((1e16 + turn) + (1.0 + turn)) + (-1e16 + turn));
  }
  for (const std::vector<double>& sum : sums) {
    EXPECT_EQ(sum, expected);
  }
}

TEST(ThreadHub, WakesEverybodyWhoWaitsWhenTheJobEnds) {
  constexpr std::array<std::int32_t, 2> kMembers = {0, 1};
  ThreadHub hub(3, std::chrono::minutes(1));
  std::array<bool, 2> aborted{};
  std::jthread in_receive([&] {
    try {
      hub.End(0)->Receive(2, kFirst);
    } catch (const Aborted&) {
      aborted[0] = true;
    }
  });
  std::jthread in_meeting([&] {
    double value = 0;
    try {
      hub.End(1)->AllReduce(kMembers, 0, {&value, 1});
    } catch (const Aborted&) {
      aborted[1] = true;
    }
  });
  hub.End(2)->Abort();
  in_receive.join();
  in_meeting.join();
  EXPECT_TRUE(aborted[0]);
  EXPECT_TRUE(aborted[1]);
}

TEST(ThreadHub, GivesUpAtTheDeadline) {
  ThreadHub hub(2, std::chrono::milliseconds(5));
  try {
    hub.End(0)->Receive(1, kFirst);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "waited 5 ms for 0SEND_F1 of rank 1; expected it within that deadline");
  }
}

}  // namespace
}  // namespace stagecraft
