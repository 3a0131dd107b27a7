#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/device.h"

namespace stagecraft::test {

/// A device whose streams are threads: work runs later than it is given out, and nothing but events
/// orders one stream against another. Memory begins as noise and ends as noise, so that who uses
/// it too early or too late computes something else. Whoever lets go of it after a failure, while
/// work is still running, does no harm.
class FakeDevice : public Device {
 public:
  using Work = std::function<void()>;

  explicit FakeDevice(std::int32_t number = 0);
  ~FakeDevice() override;

  /// Puts `work` into a stream.
  void Launch(Stream stream, Work work);

  std::size_t Streams() const { return lines_.size(); }

  /// Memory that is let go of may still be in use from now on, as after an abort.
  void EndTheNoise() { heap_->is_quiet = true; }

  std::int32_t Number() const override { return number_; }
  Stream ComputeStream() override { return compute_; }
  Stream MakeStream() override;
  std::shared_ptr<DeviceEvent> Record(Stream stream) override;
  void Wait(Stream stream, const DeviceEvent& event) override;
  bool IsDone(const DeviceEvent& event) override;
  Nanoseconds Between(const DeviceEvent& from, const DeviceEvent& to) override;
  Boundary Allocate(std::size_t bytes, Stream stream) override;
  Boundary Allocate(std::size_t bytes) { return Allocate(bytes, compute_); }
  Boundary CopyHere(const Boundary& tensor) override;
  WeightMemory& Weights() override { return *weights_; }
  void SumInOrder(const DeviceValues& gathered, std::int32_t members, std::byte* sum,
                  Stream stream) override;

 private:
  struct Line {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Work> work;
    bool closing = false;
    bool busy = false;
    std::thread thread;
  };
  /// Outlives the device where another still has something of it.
  struct Heap {
    std::atomic<bool> is_quiet{false};    ///< Memory keeps what it had.
    std::atomic<bool> is_closing{false};  ///< What waits gives up, and no more work is done.
    std::vector<std::unique_ptr<std::byte[]>> memory;
  };
  void Run(Line& line);
  bool IsIdle();

  std::int32_t number_;
  std::shared_ptr<Heap> heap_ = std::make_shared<Heap>();
  std::vector<std::unique_ptr<Line>> lines_;
  Stream compute_ = nullptr;
  std::unique_ptr<WeightMemory> weights_;
};

}  // namespace stagecraft::test
