#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "engine/boundary.h"
#include "engine/optimizer/weight_memory.h"
#include "traces/timeline.h"

namespace stagecraft {

/// A device that computes beside the program, as one rank uses it: the rank's thread puts work into
/// streams, each of which runs its work in order, and goes on before it has run. Implemented with
/// CUDA in `engine/cuda`, and with threads by the tests.
///
/// Everything throws `Error` if the device fails. Calls come from the rank's thread.
class Device {
 public:
  /// A cudaStream_t.
  using Stream = void*;

  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  /// Number of the device among those of this process; its events carry it.
  virtual std::int32_t Number() const = 0;

  /// The stream in which this rank's ops run.
  virtual Stream ComputeStream() = 0;

  /// A new stream, whose work goes before that of others: for transfers. Lives as long as the
  /// device.
  virtual Stream MakeStream() = 0;

  /// A stream that waits for tensors, so that an event behind them tells when they came.
  Stream ArrivalStream() {
    if (arrivals_ == nullptr) {
      arrivals_ = MakeStream();
    }
    return arrivals_;
  }

  /// An event behind all work that `stream` has been given so far.
  virtual std::shared_ptr<DeviceEvent> Record(Stream stream) = 0;

  /// Makes all work that `stream` is given from now on wait for `event`, which may be another
  /// device's.
  virtual void Wait(Stream stream, const DeviceEvent& event) = 0;

  /// Whether all work before `event` has run. Does not wait.
  virtual bool IsDone(const DeviceEvent& event) = 0;

  /// The time from one event of this device to another. Requires: both are done.
  virtual Nanoseconds Between(const DeviceEvent& from, const DeviceEvent& to) = 0;

  /// Uninitialised memory, first used on `stream`. Whoever lets go of it has made sure that no
  /// stream uses it any more.
  virtual Boundary Allocate(std::size_t bytes, Stream stream) = 0;

  /// A copy of a tensor of another device, made on the compute stream. `tensor` must live until
  /// that has run.
  virtual Boundary CopyHere(const Boundary& tensor) = 0;

  /// The frequency of the device now, in MHz; nothing if that cannot be known.
  virtual std::optional<std::int32_t> Clock() { return std::nullopt; }

  /// The memory in which weights are, which updates them on the compute stream.
  virtual WeightMemory& Weights() = 0;

  /// Adds up `members` times `elements` values that lie behind each other, in double and in the
  /// order of the members, on `stream`.
  virtual void SumInOrder(const DeviceValues& gathered, std::int32_t members, std::byte* sum,
                          Stream stream) = 0;

 private:
  Stream arrivals_ = nullptr;
};

/// Keeps memory alive that a stream still uses, until the stream has run that far.
class Shelf {
 public:
  explicit Shelf(Device& device) : device_(device) {}

  /// Keeps `owner` until all that `stream` has been given by now has run.
  void Keep(std::shared_ptr<void> owner, Device::Stream stream) {
    LetGo();
    kept_.emplace_back(device_.Record(stream), std::move(owner));
  }

  /// Lets go of what is no longer used.
  void LetGo() {
    while (!kept_.empty() && device_.IsDone(*kept_.front().first)) {
      kept_.pop_front();
    }
  }

  std::size_t Size() const { return kept_.size(); }

 private:
  Device& device_;
  std::deque<std::pair<std::shared_ptr<DeviceEvent>, std::shared_ptr<void>>> kept_;
};

}  // namespace stagecraft
