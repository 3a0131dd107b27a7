#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/ranks/nccl_transport.h"
#include "engine/training.h"
#include "tests/engine/device_framework.h"
#include "tests/engine/fake_nccl.h"
#include "tests/engine/scalar_framework.h"

namespace stagecraft::test {

/// A transport over a NCCL of its own.
class OwningNcclTransport : public Transport {
 public:
  OwningNcclTransport(std::unique_ptr<FakeNccl> nccl, std::unique_ptr<NcclTransport> transport)
      : nccl_(std::move(nccl)), transport_(std::move(transport)) {}

  void Send(std::int32_t to, const Tag& tag, Boundary tensor) override {
    transport_->Send(to, tag, std::move(tensor));
  }
  void PostReceive(std::int32_t from, const Tag& tag, std::size_t bytes) override {
    transport_->PostReceive(from, tag, bytes);
  }
  Received Receive(std::int32_t from, const Tag& tag) override {
    return transport_->Receive(from, tag);
  }
  void AllReduce(std::span<const std::int32_t> members, std::int32_t stage,
                 std::span<double> values) override {
    transport_->AllReduce(members, stage, values);
  }
  bool AllReduceOnDevice(std::span<const std::int32_t> members, std::int32_t stage,
                         const DeviceValues& values) override {
    return transport_->AllReduceOnDevice(members, stage, values);
  }
  void Check() override { transport_->Check(); }
  void Finish() override { transport_->Finish(); }
  void Abort() noexcept override { transport_->Abort(); }

 private:
  std::unique_ptr<FakeNccl> nccl_;
  std::unique_ptr<NcclTransport> transport_;
};

/// Connects the ranks of `plan` over a fake NCCL, with the faults of each.
inline ConnectDevices OverFakeNccl(const ExecutionPlan& plan, FakeFabric& fabric,
                                   std::function<FakeNccl::Faults(std::int32_t rank)> faults,
                                   NcclOptions options = {}) {
  options.piece_bytes = std::min(options.piece_bytes, FakeFabric::kBytes);
  return [&plan, &fabric, faults = std::move(faults), options](
             std::int32_t rank, SocketTransport& sockets, Device& device) {
    auto nccl = std::make_unique<FakeNccl>(fabric, dynamic_cast<FakeDevice&>(device), faults(rank));
    auto transport =
        std::make_unique<NcclTransport>(rank, plan, NcclParts{sockets, device, *nccl}, options);
    return std::make_unique<OwningNcclTransport>(std::move(nccl), std::move(transport));
  };
}

inline TrainingTask MomentumTask(std::int32_t stages) {
  OptimizerOptions optimizer;
  optimizer.momentum = 0.5;
  return ScalarTask(stages, optimizer);
}

}  // namespace stagecraft::test
