#pragma once

#include <atomic>
#include <csignal>

namespace stagecraft {

/// While it lives, the first SIGINT or SIGTERM only asks to stop; a second one ends the process.
class StopOnSignal {
 public:
  StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  ~StopOnSignal();

  /// Set by the signal. One for the whole process, as signals are; each forked rank has its own.
  static const std::atomic<bool>& Requested();

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

}  // namespace stagecraft
