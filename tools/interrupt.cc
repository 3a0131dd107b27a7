#include "tools/interrupt.h"

namespace stagecraft {
namespace {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a handler has no arguments.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): as many as signals: one.
bool is_listening = false;

}  // namespace

StopOnSignal::StopOnSignal() : is_outermost_(!is_listening) {
  if (!is_outermost_) {
    return;
  }
  is_listening = true;
  stop_requested = false;

  // SA_RESETHAND gives the second signal its usual effect, which is to end the process.
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
}

StopOnSignal::~StopOnSignal() {
  if (is_outermost_) {
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGTERM, &old_terminate_, nullptr);
    is_listening = false;
  }
}

const std::atomic<bool>& StopOnSignal::Requested() {
  return stop_requested;
}

void StopOnSignal::Request() {
  stop_requested = true;
}

}  // namespace stagecraft
