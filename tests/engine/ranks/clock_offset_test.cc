#include "engine/ranks/clock_offset.h"

#include <string>
#include <sys/socket.h>
#include <thread>

#include <gtest/gtest.h>

#include "engine/ranks/control_message.h"
#include "engine/ranks/descriptor.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

TEST(ClockOffset, IsWhatTheOtherClockIsAhead) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const Descriptor near(ends[0]);
  Descriptor far(ends[1]);
  constexpr auto kAhead = std::chrono::hours(2);
  std::jthread room([&] {
    std::string received;
    char bytes[64];
    for (ssize_t got = 0; (got = recv(near.Get(), bytes, sizeof bytes, 0)) > 0;) {
      received.append(bytes, static_cast<std::size_t>(got));
      while (const std::optional<ControlMessage> message = TakeMessage(received)) {
        const Clock::time_point time = Clock::now() + kAhead;
        EXPECT_EQ(message->kind, ControlKind::kClock);
        EXPECT_EQ(send(near.Get(), &time, sizeof time, 0), static_cast<ssize_t>(sizeof time));
      }
    }
  });
  const Clock::time_point begin = Clock::now();
  const Clock::duration offset = MeasureClockOffset(far.Get());
  const Clock::duration all = Clock::now() - begin;  // No pair took longer than all of them.
  EXPECT_LE(offset, kAhead + all);
  EXPECT_GE(offset, kAhead - all);
  far.Close();
}

TEST(ClockOffset, OfOneThatIsGoneIsNone) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  Descriptor near(ends[0]);
  const Descriptor far(ends[1]);
  near.Close();
  EXPECT_EQ(MeasureClockOffset(far.Get()), Clock::duration(0));
}

}  // namespace
}  // namespace stagecraft
