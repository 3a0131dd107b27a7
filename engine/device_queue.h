#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "engine/device.h"
#include "engine/recorder.h"
#include "engine/transport.h"
#include "schedules/op.h"

namespace stagecraft {

struct DeviceQueueOptions {
  std::chrono::nanoseconds deadline = std::chrono::minutes(1);  ///< Of one op.
  static constexpr std::int32_t kLead = 16;
  std::int32_t lead = kLead;  ///< Ops that may be given out and not have run.
  bool spins = false;         ///< Whether waits never sleep: this rank has a core to itself.
};

/// Until the device has run all that its compute stream has been given. Throws `Error` if that
/// takes longer than `deadline`. For when the job is over and there is nobody else to hear from.
void WaitForDevice(Device& device, std::chrono::nanoseconds deadline);

/// The ops that a rank has given to its device and that may not have run yet. Keeps the program
/// from running away, notices when the device or another rank fails, and finds out when each op
/// ran, by events around it: nothing waits for that.
///
///   program   |F0|F1|B0|S|F2|..          given out, one after the other
///   device        |  F0  |  F1  |  B0    Begin and End stand between them
///
/// A time is the event's distance from an anchor, an event whose time on the program's clock is
/// known to some microseconds; anchors are moved up, since distances are of six digits.
class DeviceQueue {
 public:
  /// `recorder` may be null. Everything must live on. The device has nothing to do yet.
  DeviceQueue(Device& device, Transport& transport, Recorder* recorder,
              DeviceQueueOptions options = {});

  /// Around what an op puts into the compute stream. `Begin` waits if too much has not run, and
  /// throws `OpError` if that takes longer than the deadline, or what `Transport::Check` throws.
  void Begin(OpRef op);
  void End(OpRef op);

  /// An op that takes no time, where the compute stream stands.
  void Mark(OpRef op);

  /// A tensor that the next op will use: its time is that of its event, and the op does not begin
  /// before it.
  void Arrive(OpRef recv, const Boundary& tensor);

  /// Until all has run. Throws as `Begin` does.
  void CatchUp();

  /// The same, at a pause: takes its time to compare clocks again.
  void Drain();

 private:
  using Event = std::shared_ptr<DeviceEvent>;
  struct Entry {
    OpRef op;
    Event begin, end;  ///< The same for a mark or an arrival.
    bool arrives = false;
    std::size_t bytes = 0;  ///< Of an arrival.
  };

  /// Waits for the first entry, and writes it down.
  void Take();
  void WaitFor(const DeviceEvent& event, OpRef op);
  void SetAnchor();
  Nanoseconds TimeOf(const Event& event);

  Device& device_;
  Transport& transport_;
  Recorder* recorder_;
  DeviceQueueOptions options_;
  std::deque<Entry> entries_;
  std::int32_t spans_ = 0;  ///< Of the entries.
  Event begin_;             ///< Of the op that is being given out.
  Event anchor_;
  std::chrono::steady_clock::time_point anchor_time_;
};

}  // namespace stagecraft
