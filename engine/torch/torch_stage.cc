#include "engine/torch/torch_stage.h"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/mse_loss.h>
#include <torch/csrc/autograd/autograd.h>

#include "engine/device_queue.h"
#include "engine/torch/flat_parameters.h"
#include "engine/torch/split_backward.h"
#include "engine/torch/tensor_place.h"
#include "engine/torch/torch_layers.h"

namespace stagecraft {
namespace {

std::vector<at::Tensor> StatisticsOver(const StageSetup& setup, const TensorPlace& place) {
  std::vector<at::Tensor> statistics;
  for (const PlacedParameter& buffer : setup.layout.buffers) {
    statistics.push_back(
        place.Over(setup.statistics + buffer.offset * BytesOf(setup.type), buffer.shape));
  }
  return statistics;
}

class TorchStage : public ModelStage {
 public:
  explicit TorchStage(StageSetup setup)
      : setup_(std::move(setup)),
        place_(setup_.device, setup_.type),
        parameters_(setup_.layout.parameters, *setup_.weights, place_.Options()),
        statistics_(StatisticsOver(setup_, place_)) {
    if (place_.IsDevice()) {
      ReserveForData();
    }
  }

  void StartAt(std::int64_t microbatch) override { first_microbatch_ = microbatch; }

  Boundary Forward(std::int32_t microbatch, std::int32_t slot, Boundary input,
                   bool keep_input_only) override {
    ReportKnown();
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
      work.weight = setup_.training->Weight(DataIndex(microbatch));
      output = LossOf(output, work.target);
      Report({DataIndex(microbatch), 0, work.target.size(0), 0}, output.detach().reshape({1}));
    }

    Boundary boundary = IsLast() ? Boundary{} : place_.ToStage(output, work.input);
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
    work.gradient = OutputGradient(work, std::move(gradient));
    torch::autograd::backward({work.output}, {work.gradient});
    return IsFirst() ? Boundary{} : place_.ToStage(work.input.grad(), work.gradient);
  }

  Boundary BackwardInput(std::int32_t microbatch, std::int32_t slot, Boundary gradient) override {
    parameters_.Bind(slot);
    InFlight& work = in_flight_.at(microbatch);
    work.gradient = OutputGradient(work, std::move(gradient));
    if (IsFirst()) {
      return {};  // Nobody wants a gradient of the data: all is left to the weight half.
    }
    work.split = std::make_unique<SplitBackward>(std::move(work.output), std::move(work.input));
    const at::Tensor of_output = std::exchange(work.gradient, at::Tensor());
    return place_.ToStage(work.split->Input(of_output), of_output);
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
    const at::Tensor received = InputOf(setup_.evaluation, microbatch, std::move(input));
    const at::Tensor output = Run(received, {.training = false, .gather_statistics = false});
    if (!IsLast()) {
      return place_.ToStage(output, received);
    }

    const at::Tensor target = TargetOf(setup_.evaluation, microbatch);
    const at::Tensor loss = LossOf(output, target).reshape({1});
    if (setup_.loss == Loss::kCrossEntropy) {
      const at::Tensor right = output.argmax(-1).eq(target).sum().reshape({1});
      Report({microbatch, 0, target.numel(), 0},
             at::cat({loss.to(at::kDouble), right.to(at::kDouble)}));
    } else {
      Report({microbatch, 0, target.size(0), 0}, loss);
    }
    return {};
  }

  std::int64_t Samples(std::int32_t microbatch) override {
    return setup_.training->Samples(DataIndex(microbatch));
  }

  std::size_t ReceivedBytes(OpKind recv, std::int32_t microbatch) override {
    return BytesOfSamples(recv == OpKind::kRecvForward ? setup_.input_sample : setup_.output_sample,
                          setup_.training->Samples(DataIndex(microbatch)));
  }
  std::size_t EvaluatedBytes(std::int32_t microbatch) override {
    return BytesOfSamples(setup_.input_sample, setup_.evaluation->Samples(microbatch));
  }

  void ReportAll() override {
    while (!reports_.empty()) {
      ReportFirst();
    }
  }

 private:
  /// A micro-batch between its forward and the end of its backward.
  struct InFlight {
    at::Tensor input;
    at::Tensor target;    ///< On the last stage.
    double weight = 1;    ///< Of its gradient beside those of others; on the last stage.
    at::Tensor output;    ///< Of the stage; the loss on the last.
    at::Tensor gradient;  ///< Of the output, between the halves of a split backward.
    std::unique_ptr<SplitBackward> split;
  };
  /// A result that may not be in main memory yet.
  struct PendingReport {
    MicrobatchResult result;
    TensorPlace::Arriving numbers;
  };

  /// Room for the data and the results of as many micro-batches as the program may be ahead by, the
  /// one that it works on, and the one that has just run.
  void ReserveForData() const {
    constexpr std::int32_t kCount = DeviceQueueOptions::kLead + 2;
    const auto reserve = [&](const HostTensor& tensor) {
      place_.Reserve(static_cast<std::int64_t>(tensor.memory.bytes), kCount);
    };

    for (BatchSource* const data : {setup_.training, setup_.evaluation}) {
      if (data != nullptr && IsFirst()) {
        reserve(data->Input(0));
      }
      if (data != nullptr && IsLast()) {
        reserve(data->Target(0));
      }
    }

    if (IsLast()) {
      place_.Reserve(BytesOf(setup_.type), kCount);  // Losses.
      place_.Reserve(2 * sizeof(double), kCount);    // Losses and how many were right.
    }
  }

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
    return place_.FromData(data->Input(microbatch));
  }

  at::Tensor TargetOf(BatchSource* data, std::int64_t microbatch) const {
    return place_.FromData(data->Target(microbatch));
  }

  /// `numbers`: the loss, and behind it how many were right, if that is asked.
  void Report(const MicrobatchResult& result, const at::Tensor& numbers) {
    reports_.push_back({result, place_.ToMainMemory(numbers)});
    ReportKnown();
  }
  void ReportKnown() {
    while (!reports_.empty() && place_.IsKnown(reports_.front().numbers)) {
      ReportFirst();
    }
  }
  void ReportFirst() {
    auto [result, numbers] = std::move(reports_.front());
    reports_.pop_front();
    result.loss = numbers.numbers[0].item<double>();
    if (numbers.numbers.numel() > 1) {
      result.right = static_cast<std::int64_t>(numbers.numbers[1].item<double>());
    }
    setup_.on_result(result);
  }

  std::size_t BytesOfSamples(const TensorShape& sample, std::int64_t samples) const {
    return static_cast<std::size_t>(samples * Elements(sample) * BytesOf(setup_.type));
  }

  /// The number of samples follows from the size.
  at::Tensor FromBoundary(Boundary boundary, const TensorShape& sample) const {
    TensorShape shape{static_cast<std::int64_t>(boundary.bytes) /
                      (Elements(sample) * BytesOf(setup_.type))};
    shape.insert(shape.end(), sample.begin(), sample.end());
    return place_.FromStage(std::move(boundary), shape);
  }

  at::Tensor LossOf(const at::Tensor& output, const at::Tensor& target) const {
    if (setup_.loss == Loss::kMeanSquares) {
      return at::mse_loss(output, target);
    }
    return at::cross_entropy_loss(output.flatten(0, -2), target.flatten());
  }

  at::Tensor OutputGradient(const InFlight& work, Boundary boundary) const {
    return IsLast() ? at::full_like(work.output, work.weight)
                    : FromBoundary(std::move(boundary), setup_.output_sample);
  }

  InFlight Take(std::int32_t microbatch) {
    const auto found = in_flight_.find(microbatch);
    InFlight work = std::move(found->second);
    in_flight_.erase(found);
    return work;
  }

  StageSetup setup_;
  TensorPlace place_;
  FlatParameters parameters_;
  std::vector<at::Tensor> statistics_;
  std::int64_t first_microbatch_ = 0;
  std::map<std::int32_t, InFlight> in_flight_;
  std::deque<PendingReport> reports_;
};

}  // namespace

std::unique_ptr<ModelStage> MakeTorchStage(StageSetup setup) {
  return std::make_unique<TorchStage>(std::move(setup));
}

}  // namespace stagecraft
