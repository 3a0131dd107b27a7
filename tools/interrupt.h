#pragma once

#include <atomic>
#include <csignal>

namespace stagecraft {

/// While it lives, the first SIGINT or SIGTERM only asks to stop; a second one ends the process.
/// Within the life of another it changes nothing: whoever asked first is asked to stop.
class StopOnSignal {
 public:
  StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  ~StopOnSignal();

  /// Set by the signal. One for the whole process, as signals are; each forked rank has its own.
  static const std::atomic<bool>& Requested();

  /// As if the signal had come.
  static void Request();

 private:
  bool is_outermost_;  ///< No other one lives, so that this one has set the handlers.
  /// The handlers to put back.
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

}  // namespace stagecraft
