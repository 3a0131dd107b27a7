#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/ranks/nccl.h"
#include "tests/engine/fake_device.h"

namespace stagecraft::test {

/// What the members of all communicators share: memory that forked processes share, too.
class FakeFabric {
 public:
  FakeFabric();
  ~FakeFabric();
  FakeFabric(const FakeFabric&) = delete;
  FakeFabric& operator=(const FakeFabric&) = delete;

  static constexpr std::int32_t kComms = 64;
  static constexpr std::int32_t kMembers = 8;
  static constexpr std::size_t kBytes = 1 << 10;

  struct Slot {
    std::atomic<std::int64_t> put{0}, taken{0};
    std::byte bytes[kBytes];
  };
  struct Comm {
    std::atomic<std::int32_t> connected{0};
    Slot slots[kMembers];  ///< Of an edge the first; of others one per member.
  };
  struct Memory {
    std::atomic<std::int32_t> next{0};
    std::atomic<bool> stop{false};  ///< For tests that stop a job: all ranks see it.
    Comm comms[kComms];
  };
  Memory& Get() { return *memory_; }

 private:
  Memory* memory_;
};

/// NCCL as one rank has it: everything needs some polls, tensors wait for each other on streams,
/// and what waits for a rank that is gone waits until it is aborted. Writes down what was called.
class FakeNccl : public Nccl {
 public:
  struct Faults {
    std::int32_t fail_call = -1;  ///< The n-th call fails.
    bool abort_hangs = false;     ///< Until `ReleaseAborts`.
    int aborts_that_meet = 0;     ///< An abort ends when so many have begun, as NCCL's may.
    std::function<void()> in_abort = [] {};
    std::function<void(const std::string& call)> before_call = [](const std::string&) {};
  };

  FakeNccl(FakeFabric& fabric, FakeDevice& device) : FakeNccl(fabric, device, Faults{}) {}
  FakeNccl(FakeFabric& fabric, FakeDevice& device, Faults faults)
      : fabric_(fabric), device_(device), faults_(std::move(faults)) {}

  std::vector<std::string> Calls() const;
  void ReleaseAborts() { aborts_released_ = true; }

  std::string Version() const override { return "fake"; }
  std::int32_t VersionCode() const override { return 0; }
  Id MakeId() override;
  State Connect(Comm* comm, const Id& id, std::int32_t rank, std::int32_t ranks,
                std::int32_t ctas) override;
  State StateOf(Comm comm) override;
  std::string Fault(Comm comm) override;
  State Send(Comm comm, const std::byte* data, std::size_t bytes, std::int32_t to,
             Device::Stream stream) override;
  State Receive(Comm comm, std::byte* data, std::size_t bytes, std::int32_t from,
                Device::Stream stream) override;
  State AllGather(Comm comm, const std::byte* data, std::byte* gathered, std::size_t bytes,
                  Device::Stream stream) override;
  State Finalize(Comm comm) override;
  void Destroy(Comm comm) override;
  void Abort(Comm comm) override;

 private:
  struct Member : std::enable_shared_from_this<Member> {
    std::int32_t number = 0;  ///< Of the communicator.
    std::int32_t rank = 0;
    std::int32_t ranks = 0;
    std::int32_t polls = 0;  ///< Until the last call is done.
    bool connecting = false;
    std::atomic<bool> aborted{false};
  };
  /// Writes it down; kInProgress, or kFailed if this one is to fail.
  State Call(const std::string& what, Member& member);
  FakeFabric::Comm& Shared(const Member& member) { return fabric_.Get().comms[member.number]; }

  FakeFabric& fabric_;
  FakeDevice& device_;
  Faults faults_;
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
  std::vector<std::shared_ptr<Member>> members_;
  std::atomic<bool> aborts_released_{false};
  std::atomic<int> aborts_begun_{0};
};

}  // namespace stagecraft::test
