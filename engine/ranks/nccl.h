#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/device.h"

namespace stagecraft {

/// The calls of NCCL that the transport makes, so that a test can stand in for it. All
/// communicators are non-blocking: a call may come back before it is done.
class Nccl {
 public:
  using Comm = void*;
  using Id = std::array<char, 128>;

  enum class State : std::uint8_t {
    kDone,
    kInProgress,  ///< Ask `StateOf` again before the next call.
    kFailed,
  };

  Nccl() = default;
  Nccl(const Nccl&) = delete;
  Nccl& operator=(const Nccl&) = delete;
  virtual ~Nccl() = default;

  /// `NCCL 2.28.9`, and which one it was compiled for where that is another.
  virtual std::string Version() const = 0;
  virtual std::int32_t VersionCode() const = 0;  ///< 22809 for 2.28.9.

  /// The identity of a new communicator: one member makes it and tells the others. Throws `Error`.
  virtual Id MakeId() = 0;

  /// Starts to connect member `rank` of `ranks`, which takes at most `ctas` blocks of the device.
  virtual State Connect(Comm* comm, const Id& id, std::int32_t rank, std::int32_t ranks,
                        std::int32_t ctas) = 0;

  /// The state of the last call, and whether the other members are still well.
  virtual State StateOf(Comm comm) = 0;

  /// What NCCL says of the failure.
  virtual std::string Fault(Comm comm) = 0;

  virtual State Send(Comm comm, const std::byte* data, std::size_t bytes, std::int32_t to,
                     Device::Stream stream) = 0;
  virtual State Receive(Comm comm, std::byte* data, std::size_t bytes, std::int32_t from,
                        Device::Stream stream) = 0;

  /// Gathers the `bytes` of all members, one behind the other, in `gathered`.
  virtual State AllGather(Comm comm, const std::byte* data, std::byte* gathered, std::size_t bytes,
                          Device::Stream stream) = 0;

  /// Says that the communicator will not be used any more; then `Destroy` may follow.
  virtual State Finalize(Comm comm) = 0;
  virtual void Destroy(Comm comm) = 0;

  /// Ends it, whatever runs, also while a call is in progress. May hang if another member does not
  /// abort; may be called from any thread, while no other is in a call of this communicator.
  virtual void Abort(Comm comm) = 0;
};

}  // namespace stagecraft
