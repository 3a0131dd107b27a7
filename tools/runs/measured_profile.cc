#include "tools/runs/measured_profile.h"

#include <chrono>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "tools/runs/training_run.h"

namespace stagecraft {
namespace {

/// `AMD EPYC 9R14`, if the system says it.
std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "";
}

/// Elements of the outputs of all layers of a stage, for one sample.
std::int64_t OutputElements(const std::vector<Layer>& layers, TensorShape shape) {
  shape.insert(shape.begin(), 1);
  std::int64_t elements = 0;
  for (const Layer& layer : layers) {
    shape = OutputShape(layer, shape);
    elements += Elements(shape);
  }
  return elements;
}

}  // namespace

std::vector<StageSizes> SizesOfStages(const GivenTraining& given) {
  const TrainingTask& task = given.task;
  const std::vector<TensorShape> shapes = StageInputs(task.model, task.sample);
  // Weights, activations and boundaries have the same type.
  const std::int64_t element = BytesOf(task.type);
  const std::int64_t samples = given.data.microbatch_size;

  std::vector<StageSizes> sizes;

  for (std::size_t stage = 0; stage < task.model.stages.size(); ++stage) {
    StageSizes of_stage;
    const bool is_last = stage + 1 == task.model.stages.size();

    of_stage.activation_bytes =
        samples * element * OutputElements(task.model.stages[stage], shapes[stage]);
    of_stage.input_bytes = samples * element * Elements(shapes[stage]);
    of_stage.output_bytes = is_last ? 0 : samples * element * Elements(shapes[stage + 1]);
    of_stage.parameter_bytes =
        LayoutOf(task.model, static_cast<std::int32_t>(stage)).elements * element;
    of_stage.optimizer_bytes = OptimizerBytes(task.optimizer, of_stage.parameter_bytes);
    sizes.push_back(of_stage);
  }

  return sizes;
}

Profile MeasuredProfile(const GivenTraining& given, std::vector<ProfileLayer> stages) {
  const TrainingTask& task = given.task;
  Profile profile;
  profile.is_stages = true;
  profile.microbatch_sizes = {given.data.microbatch_size};
  profile.layers = std::move(stages);

  // What no run measures: sizes follow from the layers.
  const std::vector<StageSizes> sizes = SizesOfStages(given);
  for (std::size_t stage = 0; stage < profile.layers.size(); ++stage) {
    ProfileLayer& layer = profile.layers[stage];
    if (stage > 0) {
      layer.inputs = {static_cast<std::int32_t>(stage) - 1};
    }
    layer.at.front().output_bytes = sizes[stage].output_bytes;
    layer.parameter_bytes = sizes[stage].parameter_bytes;
    layer.optimizer_bytes = sizes[stage].optimizer_bytes;
  }

  profile.source.model = task.model.name;

  // Where the times come from.
  const ComputeDescription compute = DescribeCompute(task.compute, Workers::kThreads);
  const std::string devices = DevicesText(compute);
  profile.source.device =
      devices.empty() ? fmt::format("{}, one thread per rank", ProcessorName()) : devices;
  profile.source.framework = compute.framework;
  profile.source.date = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
  profile.source.excluded = "waiting for tensors of other ranks; loading data is in forward";

  return profile;
}

}  // namespace stagecraft
