#include "engine/brief_wait.h"

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

}  // namespace
}  // namespace stagecraft
