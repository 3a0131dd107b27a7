#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "engine/device.h"
#include "engine/op_clock.h"
#include "engine/recorder.h"
#include "engine/transport.h"
#include "schedules/op.h"

namespace stagecraft {

struct DeviceQueueOptions {
  /// The longest that one op may take.
  std::chrono::nanoseconds deadline = std::chrono::minutes(1);
  static constexpr std::int32_t kLead = 16;
  std::int32_t lead = kLead;  ///< How many ops may be given out and not have run.
  bool spins = false;         ///< Whether waits never sleep: this rank has a core to itself.
};

/// Waits until the device has run all that its compute stream has been given. Throws `Error` if
/// that takes longer than `deadline`. For the time after a job, when no other rank can be heard of.
void WaitForDevice(Device& device, std::chrono::nanoseconds deadline);

/// The ops that a rank has given to its device and that may not have run yet. Keeps the program
/// from running away, notices when the device or another rank fails, and finds out when each op
/// ran, by events around it, for which nothing waits.
///
///   program   |F0|F1|B0|S|F2|..          given out, one after the other
///   device        |  F0  |  F1  |  B0    Begin and End stand between them
///
/// A time is the event's distance from an anchor, an event whose time on the program's clock is
/// known to some microseconds; anchors are moved up, since distances are of six digits.
class DeviceQueue : public OpClock {
 public:
  /// `recorder` may be null. All arguments must outlive the queue. Requires: the device is idle.
  DeviceQueue(Device& device, Transport& transport, Recorder* recorder,
              DeviceQueueOptions options = {});

  /// Around what an op puts into the compute stream. `Begin` waits if too much has not run, and
  /// throws `OpError` if that takes longer than the deadline, or what `Transport::Check` throws.
  void Begin(OpRef op) override;
  void End(OpRef op) override;

  /// The time of a mark is when the compute stream gets there.
  void Mark(OpRef op) override;

  /// The time of an arrival is that of the tensor's event; the next op does not begin before it.
  void Arrive(OpRef recv, const Received& received) override;

  void Read(OpRef op, const Weights& weights, std::int32_t slot) override;

  void CatchUp() override;

  /// Compares the clocks again.
  void Drain() override;

 private:
  using Event = std::shared_ptr<DeviceEvent>;
  struct Entry {
    OpRef op;
    Event begin, end;  ///< One and the same for a mark or an arrival.
    bool arrives = false;
    std::size_t bytes = 0;  ///< Size of the tensor that arrives.
  };

  /// Waits until the first entry has run, and writes down when that was.
  void Take();
  void WaitFor(const DeviceEvent& event, OpRef op);
  void SetAnchor();
  Nanoseconds TimeOf(const Event& event);

  Device& device_;
  Transport& transport_;
  Recorder* recorder_;
  DeviceQueueOptions options_;
  std::deque<Entry> entries_;
  std::int32_t spans_ = 0;  ///< Entries that are ops with a beginning and an end.
  Entry given_;             ///< The op that is being given out, as yet without its end.
  Event anchor_;
  std::chrono::steady_clock::time_point anchor_time_;
};

}  // namespace stagecraft
