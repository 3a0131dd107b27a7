#include "engine/cuda/cuda_framework.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "engine/ranks/thread_job.h"
#include "engine/torch/flat_parameters.h"
#include "engine/torch/tensor_place.h"
#include "schedules/lower.h"
#include "tests/engine/cuda/gpu_or_skip.h"
#include "tests/engine/torch/layer_cases.h"
#include "tests/engine/torch/small_tasks.h"
#include "tests/support/schedule_builder.h"

namespace stagecraft {
namespace {

using test::LayerCase;
using test::Make;

std::vector<at::Tensor> OnGpu(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> there;
  for (const at::Tensor& tensor : tensors) {
    there.push_back(tensor.detach().to(at::kCUDA));
  }
  return there;
}

class OnGpuTest : public test::GpuTest {
 protected:
  at::Tensor Run(const LayerCase& each, const at::Tensor& input,
                 std::span<const at::Tensor> parameters) {
    const std::vector<at::Tensor> statistics = OnGpu(test::StatisticsFor(each));
    at::Tensor output = RunLayers(each.layers, input, parameters, statistics, {});
    return each.is_tied ? RunLayers(each.layers, output, parameters, statistics, {}) : output;
  }

  at::Tensor Input(const LayerCase& each) {
    at::Tensor input = test::InputFor(each).to(at::kCUDA);
    input.set_requires_grad(!each.is_tokens);
    return input;
  }

  /// Gradients of input and parameters.
  static std::vector<at::Tensor> Backward(const at::Tensor& output, const at::Tensor& input,
                                          std::span<const at::Tensor> leaves) {
    const at::Tensor gradient = at::randn(output.sizes(), test::Generator(3)).to(at::kCUDA);
    torch::autograd::backward({output}, {gradient});
    std::vector<at::Tensor> all{output.detach()};
    if (input.requires_grad()) {
      all.push_back(input.grad());
    }
    for (const at::Tensor& leaf : leaves) {
      all.push_back(leaf.grad().clone());
    }
    return all;
  }

  /// A forward with the version in slot 0, then a backward with slot 1.
  std::vector<at::Tensor> BySlots(const LayerCase& each, Device& device) {
    const StageLayout layout = test::LayoutOf(each);
    WeightStore store(
        {.elements = layout.elements, .needs = {.slots = 2}, .memory = &device.Weights()});
    for (std::int32_t slot = 0; slot < 2; ++slot) {
      const std::vector<at::Tensor> leaves = test::LeavesFor(each, slot == 0 ? 100U : 200U);
      for (std::size_t i = 0; i < leaves.size(); ++i) {
        store.Memory().CopyIn(
            store.Slot(slot) + layout.parameters[i].offset * 4,
            {static_cast<const std::byte*>(leaves[i].data_ptr()), leaves[i].nbytes()});
      }
    }
    FlatParameters parameters(layout.parameters, store,
                              at::TensorOptions().dtype(at::kFloat).device(at::kCUDA, 0));
    const at::Tensor input = Input(each);
    parameters.Bind(0);
    const at::Tensor output = Run(each, input, parameters.Leaves());
    parameters.Bind(1);
    return Backward(output, input, parameters.Leaves());
  }

  /// The same by copying the other version over the parameters' own memory.
  std::vector<at::Tensor> ByCopy(const LayerCase& each) {
    std::vector<at::Tensor> leaves = OnGpu(test::LeavesFor(each, 100));
    const std::vector<at::Tensor> other = OnGpu(test::LeavesFor(each, 200));
    for (at::Tensor& leaf : leaves) {
      leaf.requires_grad_();
    }
    const at::Tensor input = Input(each);
    const at::Tensor output = Run(each, input, leaves);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      leaves[i].variable_data().copy_(other[i]);
    }
    return Backward(output, input, leaves);
  }

  struct Trained {
    std::map<std::int64_t, double> losses;
    std::string weights;
  };

  Trained Train(Framework& framework, const TrainingTask& task, const TrainingPlan& plan) {
    Trained trained;
    const TrainingSetup setup{.task = &task, .plan = &plan, .framework = &framework};
    JobOptions options;
    options.on_report = [&](std::int32_t, std::string_view bytes) {
      const TrainingReport report = ReadTrainingReport(bytes);
      if (report.kind == TrainingReport::Kind::kTraining) {  // Clocks are reported, too.
        trained.losses[report.result.microbatch] = report.result.loss;
      }
    };
    trained.weights =
        ToFiles(ReadTrainingResult(RunAsThreads(plan.training, TrainingWork(setup), options)))
            .weights;
    return trained;
  }

  CudaFramework framework_;
};

TEST_F(OnGpuTest, FreshMemoryIsNotFilled) {
  framework_.PrepareThread({});
  EXPECT_TRUE(at::globalContext().deterministicAlgorithms());
  EXPECT_FALSE(at::globalContext().deterministicFillUninitializedMemory());
}

TEST_F(OnGpuTest, WhatAStagePassesThroughIsACopy) {
  const std::unique_ptr<Device> device = framework_.PrepareThread({});
  const TensorPlace place(device.get(), ElementType::kFloat32);
  Boundary sent = device->Allocate(8, device->ComputeStream());
  sent.ready = device->Record(device->ComputeStream());
  const std::byte* const memory = sent.data;
  const at::Tensor received = place.FromStage(std::move(sent), {2, 1});
  EXPECT_NE(place.ToStage(received.view({2}), received).data, memory);
}

TEST_F(OnGpuTest, ABackwardReadsTheVersionThatIsBoundThen) {
  const std::unique_ptr<Device> device = framework_.PrepareThread({});
  for (const LayerCase& each : test::LayerCases()) {
    EXPECT_TRUE(test::AllEqual(BySlots(each, *device), ByCopy(each))) << each.name;
  }
}

/// Without dropout, which draws other numbers on a GPU.
test::SmallModel WithoutDropout(test::SmallModel model) {
  for (std::vector<Layer>& unit : model.units) {
    std::erase_if(unit, [](const Layer& layer) { return layer.kind == LayerKind::kDropout; });
  }
  return model;
}

TEST_F(OnGpuTest, TrainsLikeMainMemoryAndToTheSameBitsEachTime) {
  TorchFramework main_memory;
  for (test::SmallModel model : test::SmallModels()) {
    model = WithoutDropout(std::move(model));
    if (model.name == std::string("lstm")) {
      model.units[2] = {MakeLayer(LayerKind::kLinear, {5, 5}), MakeLayer(LayerKind::kTanh)};
    }
    for (const char* const name : {"gpipe", "1f1b", "pipedream", "pipedream-2bw", "spectrain",
                                   "xpipe", "pipeoptim", "pipelined-backprop", "pipemare"}) {
      const TrainingTask task = test::SmallTask(model, 2, test::Adam(), ElementType::kFloat64);
      const TrainingPlan plan =
          PlanTraining(Lower(Make(name, {.ranks = 2, .microbatches = 4, .batches = 2})), 0, 0);
      const Trained there = Train(framework_, task, plan);
      const Trained here = Train(main_memory, task, plan);
      ASSERT_EQ(there.losses.size(), here.losses.size());
      for (const auto& [microbatch, loss] : here.losses) {
        EXPECT_NEAR(there.losses.at(microbatch), loss, 1e-7 * std::abs(loss) + 1e-9)
            << model.name << " " << name << " micro-batch " << microbatch;
      }
      EXPECT_EQ(Train(framework_, task, plan).weights, there.weights) << model.name << " " << name;
    }
  }
}

}  // namespace
}  // namespace stagecraft
