#include "engine/torch/torch_framework.h"

#include <limits>
#include <malloc.h>
#include <memory>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <torch/version.h>

#include "engine/torch/plain_errors.h"
#include "engine/torch/torch_stage.h"
#include "engine/torch/torch_store.h"

namespace stagecraft {
namespace {

class StageWithPlainErrors : public ModelStage {
 public:
  explicit StageWithPlainErrors(std::unique_ptr<ModelStage> stage) : stage_(std::move(stage)) {}

  void StartAt(std::int64_t microbatch) override { stage_->StartAt(microbatch); }
  Boundary Forward(std::int32_t microbatch, std::int32_t slot, Boundary input,
                   bool keep_input_only) override {
    return WithPlainErrors(
        [&] { return stage_->Forward(microbatch, slot, std::move(input), keep_input_only); });
  }
  void Recompute(std::int32_t microbatch, std::int32_t slot) override {
    WithPlainErrors([&] { stage_->Recompute(microbatch, slot); });
  }
  Boundary Backward(std::int32_t microbatch, std::int32_t slot, Boundary gradient) override {
    return WithPlainErrors([&] { return stage_->Backward(microbatch, slot, std::move(gradient)); });
  }
  Boundary BackwardInput(std::int32_t microbatch, std::int32_t slot, Boundary gradient) override {
    return WithPlainErrors(
        [&] { return stage_->BackwardInput(microbatch, slot, std::move(gradient)); });
  }
  void BackwardWeight(std::int32_t microbatch, std::int32_t slot) override {
    WithPlainErrors([&] { stage_->BackwardWeight(microbatch, slot); });
  }
  std::int64_t Samples(std::int32_t microbatch) override { return stage_->Samples(microbatch); }
  std::size_t ReceivedBytes(OpKind recv, std::int32_t microbatch) override {
    return stage_->ReceivedBytes(recv, microbatch);
  }
  std::size_t EvaluatedBytes(std::int32_t microbatch) override {
    return stage_->EvaluatedBytes(microbatch);
  }
  void ReportAll() override {
    WithPlainErrors([&] { stage_->ReportAll(); });
  }
  Boundary Evaluate(std::int32_t microbatch, std::int32_t slot, Boundary input) override {
    return WithPlainErrors([&] { return stage_->Evaluate(microbatch, slot, std::move(input)); });
  }

 private:
  std::unique_ptr<ModelStage> stage_;
};

/// Each op makes and frees tensors of megabytes. Given back to the system every time, their pages
/// are cleared and mapped anew, which takes up to a tenth of an op.
void KeepFreedMemory() {
#ifdef __GLIBC__
  constexpr int kMost = 32 << 20;  // That mallopt takes for the first.
  mallopt(M_MMAP_THRESHOLD, kMost);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, kMost);
#endif
}

}  // namespace

TorchFramework::TorchFramework() {
  KeepFreedMemory();
}

std::string TorchFramework::Version() const {
  return "LibTorch " TORCH_VERSION;
}

std::unique_ptr<Device> TorchFramework::PrepareThread(const RankPlace& /*place*/) {
  WithPlainErrors([] {
    at::set_num_threads(1);
    const at::Tensor square = at::zeros({64, 64});
    at::mm(square, square);  // The first product on a thread takes milliseconds more.
  });
  return nullptr;
}

std::unique_ptr<ModelStage> TorchFramework::MakeStage(StageSetup setup) {
  return WithPlainErrors(
      [&] { return std::make_unique<StageWithPlainErrors>(MakeTorchStage(std::move(setup))); });
}

std::unique_ptr<Store> TorchFramework::ConnectStore(const StoreAddress& address) {
  return ConnectTcpStore(address);
}

}  // namespace stagecraft
