#include "tools/measured_profile.h"

#include <chrono>
#include <ctime>
#include <fstream>
#include <string>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "engine/framework_loader.h"

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

/// Gradient, and what the optimizer keeps per weight.
std::int64_t OptimizerBytes(const TrainingTask& task, std::int64_t parameter_bytes) {
  const bool is_sgd = task.optimizer.kind == OptimizerKind::kSgd;
  const std::int64_t states = is_sgd ? (task.optimizer.momentum > 0 ? 1 : 0) : 2;
  return (1 + states) * parameter_bytes;
}

}  // namespace

Profile MeasuredProfile(const GivenTraining& given, const Schedule& schedule,
                        const Timeline& recorded, MicrobatchRange range) {
  const TrainingTask& task = given.task;
  Profile profile;
  profile.is_stages = true;
  profile.microbatch_sizes = {given.data.microbatch_size};
  profile.layers = MeasureStages(schedule, recorded, range);
  const std::vector<TensorShape> shapes = StageInputs(task.model, task.sample);
  const std::int64_t element = BytesOf(task.type);
  for (std::size_t stage = 0; stage < profile.layers.size(); ++stage) {
    ProfileLayer& layer = profile.layers[stage];
    layer.inputs = stage == 0 ? std::vector<std::int32_t>{}
                              : std::vector<std::int32_t>{static_cast<std::int32_t>(stage) - 1};
    const bool is_last = stage + 1 == profile.layers.size();
    layer.at.front().output_bytes =
        is_last ? 0 : given.data.microbatch_size * Elements(shapes[stage + 1]) * element;
    layer.parameter_bytes =
        LayoutOf(task.model, static_cast<std::int32_t>(stage)).elements * element;
    layer.optimizer_bytes = OptimizerBytes(task, *layer.parameter_bytes);
  }
  profile.source.model = task.model.name;
  profile.source.device = fmt::format("{}, one thread per rank", ProcessorName());
  profile.source.framework = LoadFramework().Version();
  profile.source.date = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
  profile.source.excluded = "waiting for tensors of other ranks; loading data is in forward";
  profile.source.notes = fmt::format("means over micro-batches {} to {} of {}", range.begin,
                                     range.end - 1, schedule.name);
  return profile;
}

}  // namespace stagecraft
