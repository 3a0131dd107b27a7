#pragma once

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/model_stage.h"
#include "tests/engine/fake_device.h"

namespace stagecraft::test {

/// The model of scalar_framework.h on a `FakeDevice`, as a stage on a real one works: ops only give
/// out work, tensors carry events, and what a stream still uses is held until it has run.
class ScalarStageOnDevice : public ModelStage {
 public:
  explicit ScalarStageOnDevice(StageSetup setup)
      : setup_(std::move(setup)),
        device_(dynamic_cast<FakeDevice&>(*setup_.device)),
        shelf_(device_) {}

  void StartAt(std::int64_t microbatch) override { first_ = microbatch; }

  Boundary Forward(std::int32_t q, std::int32_t slot, Boundary input, bool) override {
    ReportDone();
    inputs_[q] = Taken(IsFirst() ? setup_.training->Input(first_ + q).memory : std::move(input));
    Boundary output = Product(slot, inputs_[q]);
    if (!IsLast()) {
      return output;
    }
    errors_[q] = Error(output, setup_.training->Target(first_ + q).memory);
    Report(first_ + q, errors_[q]);
    return {};
  }
  void Recompute(std::int32_t, std::int32_t) override {}
  Boundary Backward(std::int32_t q, std::int32_t slot, Boundary gradient) override {
    Boundary result = BackwardInput(q, slot, std::move(gradient));
    BackwardWeight(q, slot);
    return result;
  }
  Boundary BackwardInput(std::int32_t q, std::int32_t slot, Boundary gradient) override {
    of_outputs_[q] = IsLast() ? errors_.at(q) : Taken(std::move(gradient));
    return IsFirst() ? Boundary{} : Product(slot, of_outputs_[q]);
  }
  void BackwardWeight(std::int32_t q, std::int32_t) override {
    const Boundary& of_output = of_outputs_.at(q);
    device_.Launch(device_.ComputeStream(),
                   [sum = Numbers(setup_.weights->GradientData()), by = Numbers(of_output.data),
                    x = Numbers(inputs_.at(q).data)] { *sum += *by * *x; });
    for (const Boundary& used : {of_output, inputs_.at(q)}) {
      shelf_.Keep(used.owner, device_.ComputeStream());
    }
    inputs_.erase(q);
    errors_.erase(q);
    of_outputs_.erase(q);
  }

  std::size_t ReceivedBytes(OpKind, std::int32_t) override { return sizeof(double); }
  std::size_t EvaluatedBytes(std::int32_t) override { return sizeof(double); }

  Boundary Evaluate(std::int32_t q, std::int32_t slot, Boundary input) override {
    const Boundary x = Taken(IsFirst() ? setup_.evaluation->Input(q).memory : std::move(input));
    Boundary output = Product(slot, x);
    shelf_.Keep(x.owner, device_.ComputeStream());
    if (!IsLast()) {
      return output;
    }
    Report(q, Error(output, setup_.evaluation->Target(q).memory));
    return {};
  }

  void ReportAll() override {
    while (!reports_.empty()) {
      ReportFirst();
    }
  }

 private:
  struct Pending {
    std::int64_t microbatch;
    Boundary error;
    std::shared_ptr<DeviceEvent> known;
  };

  static double* Numbers(std::byte* data) { return reinterpret_cast<double*>(data); }
  bool IsFirst() const { return setup_.stage == 0; }
  bool IsLast() const { return setup_.stage + 1 == setup_.stages; }

  /// What was given, once the compute stream may use it.
  Boundary Taken(Boundary given) {
    if (!given.ready) {  // Data, which come from main memory.
      Boundary data = device_.Allocate(given.bytes);
      std::memcpy(data.data, given.data, given.bytes);
      return data;
    }
    device_.Wait(device_.ComputeStream(), *given.ready);
    if (given.ready->device == device_.Number()) {
      return given;
    }
    Boundary copy = device_.CopyHere(given);
    shelf_.Keep(std::move(given.owner), device_.ComputeStream());
    return copy;
  }

  Boundary Product(std::int32_t slot, const Boundary& x) {
    Boundary result = device_.Allocate(sizeof(double));
    device_.Launch(device_.ComputeStream(),
                   [to = Numbers(result.data), w = Numbers(setup_.weights->Slot(slot)),
                    by = Numbers(x.data)] { *to = *w * *by; });
    result.ready = device_.Record(device_.ComputeStream());
    return result;
  }

  Boundary Error(const Boundary& output, const Boundary& target) {
    double wanted = 0;
    std::memcpy(&wanted, target.data, sizeof wanted);
    Boundary error = device_.Allocate(sizeof(double));
    device_.Launch(device_.ComputeStream(), [to = Numbers(error.data), y = Numbers(output.data),
                                             wanted] { *to = *y - wanted; });
    shelf_.Keep(output.owner, device_.ComputeStream());
    return error;
  }

  void Report(std::int64_t microbatch, const Boundary& error) {
    reports_.push_back({microbatch, error, device_.Record(device_.ComputeStream())});
  }
  void ReportDone() {
    while (!reports_.empty() && device_.IsDone(*reports_.front().known)) {
      ReportFirst();
    }
  }
  void ReportFirst() {
    const double error = *Numbers(reports_.front().error.data);
    setup_.on_result({reports_.front().microbatch, error * error / 2, 1, 0});
    reports_.pop_front();
  }

  StageSetup setup_;
  FakeDevice& device_;
  Shelf shelf_;
  std::int64_t first_ = 0;
  std::map<std::int32_t, Boundary> inputs_, errors_, of_outputs_;
  std::deque<Pending> reports_;
};

class DeviceFramework : public Framework {
 public:
  std::string Version() const override { return "scalars on a device"; }
  std::unique_ptr<Device> PrepareThread(const RankPlace& place) override {
    return std::make_unique<FakeDevice>(place.local_rank % 2);
  }
  std::unique_ptr<ModelStage> MakeStage(StageSetup setup) override {
    return std::make_unique<ScalarStageOnDevice>(std::move(setup));
  }
  std::unique_ptr<Store> ConnectStore(const StoreAddress&) override {
    return std::make_unique<MemoryStore>();
  }
};

}  // namespace stagecraft::test
