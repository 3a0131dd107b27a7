#include "engine/ranks/clock_offset.h"

#include <sys/socket.h>

#include "engine/ranks/control_message.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

Clock::duration MeasureClockOffset(int control) {
  constexpr int kPairs = 16;
  Clock::duration shortest = Clock::duration::max();
  Clock::duration offset{0};
  for (int i = 0; i < kPairs; ++i) {
    const Clock::time_point sent = Clock::now();
    SendMessage(control, ControlKind::kClock);
    Clock::time_point there;
    if (recv(control, &there, sizeof there, MSG_WAITALL) != sizeof there) {
      return Clock::duration{0};
    }

    // The answer was given somewhere between; the shortest exchange says best when.
    const Clock::duration took = Clock::now() - sent;
    if (took < shortest) {
      shortest = took;
      offset = there - (sent + took / 2);
    }
  }
  return offset;
}

void AnswerWithClock(int control) {
  const Clock::time_point now = Clock::now();
  send(control, &now, sizeof now, MSG_NOSIGNAL);
}

}  // namespace stagecraft
