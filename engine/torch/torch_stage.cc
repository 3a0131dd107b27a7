#include "engine/torch/torch_stage.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/ones_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "engine/torch/flat_parameters.h"
#include "engine/torch/split_backward.h"
#include "engine/torch/tensor_memory.h"
#include "engine/torch/torch_layers.h"

namespace stagecraft {
namespace {

std::vector<at::Tensor> StatisticsOver(const StageSetup& setup) {
  std::vector<at::Tensor> statistics;
  for (const PlacedParameter& buffer : setup.layout.buffers) {
    std::byte* const data = setup.statistics + buffer.offset * BytesOf(setup.type);
    statistics.push_back(
        at::from_blob(data, buffer.shape, at::TensorOptions().dtype(ScalarTypeOf(setup.type))));
  }
  return statistics;
}

class TorchStage : public ModelStage {
 public:
  explicit TorchStage(StageSetup setup)
      : setup_(std::move(setup)),
        parameters_(setup_.layout.parameters, *setup_.weights, ScalarTypeOf(setup_.type)),
        statistics_(StatisticsOver(setup_)) {}

  void StartAt(std::int64_t microbatch) override { first_microbatch_ = microbatch; }

  Boundary Forward(std::int32_t microbatch, std::int32_t slot, Boundary input,
                   bool keep_input_only) override {
    parameters_.Bind(slot);
    InFlight& work = in_flight_[microbatch];
    work.input = InputOf(setup_.training, DataIndex(microbatch), std::move(input));
    if (!IsFirst()) {
      work.input.requires_grad_();
    }
    std::optional<at::NoGradGuard> no_graph;
    if (keep_input_only) {
      no_graph.emplace();
    }
    at::Tensor output = Run(work.input, TrainingPass(microbatch));
    if (IsLast()) {
      work.target = TargetOf(setup_.training, DataIndex(microbatch));
      output = LossOf(output, work.target);
      setup_.on_result({DataIndex(microbatch), output.item<double>(), work.target.size(0), 0});
    }
    Boundary boundary = IsLast() ? Boundary{} : BoundaryOver(output);
    if (!keep_input_only) {
      work.output = std::move(output);
    }
    return boundary;
  }

  void Recompute(std::int32_t microbatch, std::int32_t slot) override {
    parameters_.Bind(slot);
    InFlight& work = in_flight_.at(microbatch);
    ForwardPass pass = TrainingPass(microbatch);
    pass.gather_statistics = false;
    work.output = Run(work.input, pass);
    if (IsLast()) {
      work.output = LossOf(work.output, work.target);
    }
  }

  Boundary Backward(std::int32_t microbatch, std::int32_t slot, Boundary gradient) override {
    parameters_.Bind(slot);
    InFlight work = Take(microbatch);
    torch::autograd::backward({work.output}, {OutputGradient(work, std::move(gradient))});
    return IsFirst() ? Boundary{} : BoundaryOver(work.input.grad());
  }

  Boundary BackwardInput(std::int32_t microbatch, std::int32_t slot, Boundary gradient) override {
    parameters_.Bind(slot);
    InFlight& work = in_flight_.at(microbatch);
    work.gradient = OutputGradient(work, std::move(gradient));
    if (IsFirst()) {
      return {};  // Nobody wants a gradient of the data: all is left to the weight half.
    }
    work.split = std::make_unique<SplitBackward>(std::move(work.output), std::move(work.input));
    return BoundaryOver(work.split->Input(std::exchange(work.gradient, at::Tensor())));
  }

  void BackwardWeight(std::int32_t microbatch, std::int32_t slot) override {
    parameters_.Bind(slot);
    const InFlight work = Take(microbatch);
    if (work.split) {
      work.split->Weight();
    } else {
      torch::autograd::backward({work.output}, {work.gradient});
    }
  }

  Boundary Evaluate(std::int32_t microbatch, std::int32_t slot, Boundary input) override {
    parameters_.Bind(slot);
    const at::NoGradGuard no_graph;
    const at::Tensor output = Run(InputOf(setup_.evaluation, microbatch, std::move(input)),
                                  {.training = false, .gather_statistics = false});
    if (!IsLast()) {
      return BoundaryOver(output);
    }
    const at::Tensor target = TargetOf(setup_.evaluation, microbatch);
    MicrobatchResult result{microbatch, LossOf(output, target).item<double>(), target.size(0), 0};
    if (setup_.loss == Loss::kCrossEntropy) {
      result.samples = target.numel();
      result.right = output.argmax(-1).eq(target).sum().item<std::int64_t>();
    }
    setup_.on_result(result);
    return {};
  }

 private:
  /// A micro-batch between its forward and the end of its backward.
  struct InFlight {
    at::Tensor input;
    at::Tensor target;    ///< On the last stage.
    at::Tensor output;    ///< Of the stage; the loss on the last.
    at::Tensor gradient;  ///< Of the output, between the halves of a split backward.
    std::unique_ptr<SplitBackward> split;
  };

  bool IsFirst() const { return setup_.stage == 0; }
  bool IsLast() const { return setup_.stage + 1 == setup_.stages; }
  std::int64_t DataIndex(std::int32_t microbatch) const { return first_microbatch_ + microbatch; }

  ForwardPass TrainingPass(std::int32_t microbatch) const {
    return {.seed = setup_.seed,
            .first_layer = setup_.first_layer,
            .microbatch = DataIndex(microbatch)};
  }

  at::Tensor Run(const at::Tensor& input, ForwardPass pass) const {
    pass.first_layer = setup_.first_layer;
    return RunLayers(setup_.layers, input, parameters_.Leaves(), statistics_, pass);
  }

  at::Tensor InputOf(BatchSource* data, std::int64_t microbatch, Boundary boundary) const {
    if (!IsFirst()) {
      return FromBoundary(std::move(boundary), setup_.input_sample);
    }
    HostTensor input = data->Input(microbatch);
    return TensorOver(std::move(input.memory), input.shape, input.type);
  }

  static at::Tensor TargetOf(BatchSource* data, std::int64_t microbatch) {
    HostTensor target = data->Target(microbatch);
    return TensorOver(std::move(target.memory), target.shape, target.type);
  }

  /// The number of samples follows from the size.
  at::Tensor FromBoundary(Boundary boundary, const TensorShape& sample) const {
    TensorShape shape{static_cast<std::int64_t>(boundary.bytes) /
                      (Elements(sample) * BytesOf(setup_.type))};
    shape.insert(shape.end(), sample.begin(), sample.end());
    return TensorOver(std::move(boundary), shape, setup_.type);
  }

  at::Tensor LossOf(const at::Tensor& output, const at::Tensor& target) const {
    if (setup_.loss == Loss::kMeanSquares) {
      return at::mse_loss(output, target);
    }
    return at::cross_entropy_loss(output.flatten(0, -2), target.flatten());
  }

  at::Tensor OutputGradient(const InFlight& work, Boundary boundary) const {
    return IsLast() ? at::ones_like(work.output)
                    : FromBoundary(std::move(boundary), setup_.output_sample);
  }

  InFlight Take(std::int32_t microbatch) {
    const auto found = in_flight_.find(microbatch);
    InFlight work = std::move(found->second);
    in_flight_.erase(found);
    return work;
  }

  StageSetup setup_;
  FlatParameters parameters_;
  std::vector<at::Tensor> statistics_;
  std::int64_t first_microbatch_ = 0;
  std::map<std::int32_t, InFlight> in_flight_;
};

}  // namespace

std::unique_ptr<ModelStage> MakeTorchStage(StageSetup setup) {
  return std::make_unique<TorchStage>(std::move(setup));
}

}  // namespace stagecraft
