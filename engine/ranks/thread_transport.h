#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/failure.h"
#include "engine/transport.h"

namespace stagecraft {

/// Connects ranks that are threads of one process: a tensor changes hands without a copy.
class ThreadHub {
 public:
  /// No wait lasts longer than `deadline`.
  ThreadHub(std::int32_t ranks, std::chrono::nanoseconds deadline);

  /// The end of `rank`. The hub must outlive it.
  std::unique_ptr<Transport> End(std::int32_t rank);

  void Abort() noexcept;

  /// Throws `Aborted` if `Abort` was called.
  void Check() const {
    if (aborted_) {
      throw Aborted("another rank ended the job");
    }
  }

 private:
  class EndOfRank;

  struct Parcel {
    Tag tag;
    Received received;
  };
  /// What is on its way between one directed pair of ranks.
  struct Channel {
    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<Parcel> parcels;
  };
  /// The all-reduces of one stage, one after the other.
  struct Meeting {
    std::vector<std::vector<double>> given;  ///< Per member, in the order of the ranks.
    std::vector<double> sum;
    std::size_t came = 0;
    std::size_t left = 0;
    std::int64_t turn = 0;
  };

  Channel& ChannelOf(std::int32_t from, std::int32_t to) {
    return *channels_[static_cast<std::size_t>(from) * static_cast<std::size_t>(ranks_) +
                      static_cast<std::size_t>(to)];
  }

  /// Waits under `lock` until `ready`. Throws if the deadline passes first, or the job ends.
  template <typename Ready>
  void Wait(std::unique_lock<std::mutex>& lock, std::condition_variable& changed,
            const std::string& what, const Ready& ready);

  std::int32_t ranks_;
  std::chrono::nanoseconds deadline_;
  bool waits_briefly_;
  std::atomic<bool> aborted_{false};
  std::vector<std::unique_ptr<Channel>> channels_;
  std::mutex meeting_mutex_;
  std::condition_variable meeting_changed_;
  std::map<std::int32_t, Meeting> meetings_;  ///< The all-reduces of each stage.
};

}  // namespace stagecraft
