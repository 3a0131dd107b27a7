#pragma once

#include <chrono>

namespace stagecraft {

/// How far the control room's steady clock is ahead of this process's: the two may be on different
/// machines. Of some pairs of messages over `control`, the quickest counts: half its time there and
/// back is the most that the result may be wrong. Zero if the other end is gone, which who uses the
/// connection next will notice.
std::chrono::steady_clock::duration MeasureClockOffset(int control);

/// The control room's answer to a `T` message: what its clock says.
void AnswerWithClock(int control);

}  // namespace stagecraft
