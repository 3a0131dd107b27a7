#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <sys/prctl.h>
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

/// A wait for a device, which gives no sign when it is done: between two looks the thread gives its
/// core to whoever wants it, and after `kBriefWait` sleeps, unless the rank has a core to itself.
class PollPause {
 public:
  explicit PollPause(bool spins) : spins_(spins), begin_(Clock::now()) {}

  std::chrono::nanoseconds Waited() const { return Clock::now() - begin_; }
  /// Whether the pause after having waited for so long is a sleep.
  bool Sleeps(std::chrono::nanoseconds waited) const { return !spins_ && waited > kBriefWait; }
  void Wait() const {
    if (Sleeps(Waited())) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    } else {
      std::this_thread::yield();
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool spins_;
  Clock::time_point begin_;
};

/// Whether `ranks` ranks of this machine may spin while they wait for devices: where each has a
/// core and there is another for what CUDA, NCCL and sockets do beside it.
inline bool MaySpin(std::int32_t ranks, unsigned cores = std::thread::hardware_concurrency()) {
  return 2 * static_cast<std::int64_t>(ranks) <= static_cast<std::int64_t>(cores);
}

/// Makes the system end the sleeps of this thread in time, and not up to 50 us late.
inline void WakeUpInTime() {
  prctl(PR_SET_TIMERSLACK, 1UL);
}

}  // namespace stagecraft
