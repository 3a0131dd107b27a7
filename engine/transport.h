#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/boundary.h"
#include "engine/optimizer/weight_memory.h"
#include "schedules/op.h"

namespace stagecraft {

/// What a boundary tensor is, checked on receipt: both ends must mean the same.
struct Tag {
  OpKind kind = OpKind::kSendForward;  ///< kSendForward or kSendBackward.
  std::int32_t stage = 0;              ///< The sender's.
  std::int32_t microbatch = 0;

  friend bool operator==(const Tag&, const Tag&) = default;
};

/// `0SEND_F3`.
inline std::string ToString(const Tag& tag) {
  return ToString(Op{.kind = tag.kind, .stage = tag.stage, .microbatch = tag.microbatch});
}

/// A boundary tensor, and when it arrived. On a device `tensor.ready` says when that is, and
/// `arrival` only when it was given to this rank.
struct Received {
  Boundary tensor;
  std::chrono::steady_clock::time_point arrival;
};

/// One rank's end of the connections to all others. One FIFO per directed pair of ranks: the k-th
/// `Send` is for the k-th `PostReceive`.
///
/// Calls come from the rank's own thread, but for `Abort`, which may come from any. Whatever waits
/// throws `Error` when the deadline of the job passes, or when the tag is not the expected one, and
/// `Aborted` when another rank has ended the job.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Gives `tensor` away. Does not wait for the receiver.
  virtual void Send(std::int32_t to, const Tag& tag, Boundary tensor) = 0;

  /// Says that the next tensor from that rank will be this one, of `bytes` if that is known.
  virtual void PostReceive(std::int32_t from, const Tag& tag, std::size_t bytes) = 0;

  /// Waits for a tensor that was posted; one in a device's memory may still be on its way there.
  virtual Received Receive(std::int32_t from, const Tag& tag) = 0;

  /// Replaces `values` by their sum over `members`, added up in the order of the ranks, so that
  /// every member gets the same bits. All members call it, with equally many values.
  virtual void AllReduce(std::span<const std::int32_t> members, std::int32_t stage,
                         std::span<double> values) = 0;

  /// The same with values in the memory of this rank's device, on its compute stream. Returns
  /// false, having done nothing, if this transport cannot.
  virtual bool AllReduceOnDevice(std::span<const std::int32_t> /*members*/, std::int32_t /*stage*/,
                                 const DeviceValues& /*values*/) {
    return false;
  }

  /// Throws what a wait would throw if the job has been ended. Cheap: for code that waits
  /// elsewhere.
  virtual void Check() {}

  /// Says that this rank's program has run to its end, and waits until the ranks that it talks to
  /// need nothing more from it. If the job has been ended, makes what still waits on a device stop,
  /// so that weights can be saved.
  virtual void Finish() {}

  /// Ends the job: everything that waits, here and on all other ranks, throws `Aborted`.
  virtual void Abort() noexcept = 0;
};

}  // namespace stagecraft
