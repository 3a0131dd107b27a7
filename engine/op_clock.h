#pragma once

#include <cstdint>
#include <memory>

#include "engine/recorder.h"
#include "engine/transport.h"
#include "engine/weights.h"
#include "schedules/op.h"

namespace stagecraft {

/// What the executor of one rank tells of its ops while it runs them, on its own thread and in the
/// order of the program. An `OpClock` as it is writes down nothing: for ranks that nobody watches.
/// `MakeHostClock` gives one that takes times on the program's clock, `DeviceQueue` is one for ops
/// that a device runs later.
class OpClock {
 public:
  OpClock() = default;
  OpClock(const OpClock&) = delete;
  OpClock& operator=(const OpClock&) = delete;
  virtual ~OpClock() = default;

  /// Around what an op does. `Begin` may wait, and throw what ends the job.
  virtual void Begin(OpRef /*op*/) {}
  virtual void End(OpRef /*op*/) {}

  /// A SEND or RECV, which takes no time.
  virtual void Mark(OpRef /*op*/) {}

  /// The tensor of a RECV is there, or on its way in a device's memory: the next op uses it.
  virtual void Arrive(OpRef /*recv*/, const Received& /*received*/) {}

  /// An op has read a slot.
  virtual void Read(OpRef /*op*/, const Weights& /*weights*/, std::int32_t /*slot*/) {}

  /// Waits until all ops have run. Throws as `Begin` does.
  virtual void CatchUp() {}

  /// The same at a pause, when there is time for whatever keeps the clock right.
  virtual void Drain() {}
};

/// Writes down in `recorder`, which must live on, when ops begin and end on the program's clock;
/// nothing if `recorder` is null.
std::unique_ptr<OpClock> MakeHostClock(Recorder* recorder);

}  // namespace stagecraft
