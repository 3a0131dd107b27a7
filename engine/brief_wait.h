#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

namespace stagecraft {

/// How long a rank looks again and again before it goes to sleep, which a system takes 20 to 100 us
/// to end: a few percent of a wait that is longer than this.
inline constexpr std::chrono::microseconds kBriefWait(2000);

/// Whether `ranks` ranks may wait that way: not where they are more than the machine has cores, so
/// that who waits would take them from who computes.
inline bool MayWaitBriefly(std::int32_t ranks) {
  return ranks <= static_cast<std::int32_t>(std::thread::hardware_concurrency());
}

/// Waits until `ready`, which is asked under `lock`, but no longer than `kBriefWait`; gives the
/// core to whoever wants it in between. False if it is not ready.
template <typename Ready>
bool WaitBriefly(std::unique_lock<std::mutex>& lock, const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kBriefWait;
  while (!ready()) {
    lock.unlock();
    std::this_thread::yield();
    const bool is_over = std::chrono::steady_clock::now() >= end;
    lock.lock();
    if (is_over) {
      return ready();
    }
  }
  return true;
}

}  // namespace stagecraft
