#include "engine/ranks/brief_wait.h"

#include <gtest/gtest.h>

namespace stagecraft {
namespace {

TEST(BriefWait, IsOverWhenItIsReady) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  int asked = 0;
  EXPECT_TRUE(WaitBriefly(lock, [&] { return ++asked == 2; }));
  EXPECT_EQ(asked, 2);
  EXPECT_TRUE(lock.owns_lock());
}

TEST(BriefWait, GivesUp) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  EXPECT_FALSE(WaitBriefly(lock, [] { return false; }));
  EXPECT_TRUE(lock.owns_lock());
}

TEST(BriefWait, LetsOthersIn) {
  std::mutex mutex;
  bool ready = false;
  std::unique_lock lock(mutex);
  std::thread other([&] {
    const std::lock_guard inside(mutex);
    ready = true;
  });
  while (!WaitBriefly(lock, [&] { return ready; })) {
  }
  EXPECT_TRUE(ready);
  lock.unlock();
  other.join();
}

TEST(PollPause, SleepsAfterTheBriefWaitUnlessItSpins) {
  constexpr std::chrono::microseconds kLonger = kBriefWait + std::chrono::microseconds(1);
  EXPECT_FALSE(PollPause(false).Sleeps(kBriefWait));
  EXPECT_TRUE(PollPause(false).Sleeps(kLonger));
  EXPECT_FALSE(PollPause(true).Sleeps(kLonger));
}

TEST(MaySpin, WhereThereAreTwoCoresForEachRank) {
  EXPECT_TRUE(MaySpin(1, 2));
  EXPECT_FALSE(MaySpin(2, 3));
  EXPECT_FALSE(MaySpin(1, 0));  // Nobody knows how many there are.
}

TEST(WakeUpInTime, MakesTheSystemExact) {
  std::thread([] {
    WakeUpInTime();
    EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 1);
  }).join();
}

}  // namespace
}  // namespace stagecraft
