#include "tools/training_data.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/hash.h"
#include "engine/safetensors.h"
#include "schedules/closest.h"
#include "tools/command.h"
#include "tools/file_access.h"

namespace stagecraft {
namespace {

using Task = TeacherOptions::Task;

struct TeacherName {
  std::string_view name;
  Task task;
  std::int64_t inputs, outputs, size;
};
constexpr TeacherName kTeachers[] = {{"classes", Task::kClasses, 16, 10, 1},
                                     {"regression", Task::kRegression, 16, 4, 1},
                                     {"images", Task::kImages, 3, 10, 16},
                                     {"tokens", Task::kTokens, 1, 1, 1}};

Safetensors ReadContent(const std::string& path) {
  Result<Safetensors> content = ReadSafetensors(ReadFile(path), path);
  if (!content) {
    throw CommandFailure(ExitCode::kUsage, std::move(content.diagnostics));
  }
  return *std::move(content.value);
}

[[noreturn]] void RefuseUnknown(const std::string& name) {
  std::vector<std::string_view> names{"digits"};
  for (const TeacherName& teacher : kTeachers) {
    names.push_back(teacher.name);
  }
  const std::string_view meant = Closest(name, names);
  throw CommandFailure(
      ExitCode::kUsage, "--data",
      fmt::format("expected digits, classes, regression, images, tokens or a *.safetensors file, "
                  "got '{}'{}",
                  name, meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant)));
}

TensorShape SampleOf(const HostTensor& tensor) {
  return {tensor.shape.begin() + 1, tensor.shape.end()};
}

/// Classes are the numbers below the largest that occurs; else outputs are what a sample has.
std::int64_t OutputsOf(const HostTensor& target) {
  if (target.type != ElementType::kInt64) {
    return target.shape.back();
  }
  const std::span classes(reinterpret_cast<const std::int64_t*>(target.memory.data),
                          static_cast<std::size_t>(Elements(target.shape)));
  return *std::max_element(classes.begin(), classes.end()) + 1;
}

void DescribeSamples(const DataSet& set, TrainingData& data) {
  data.sample = SampleOf(set.x);
  data.input_type = set.x.type;
  data.target_sample = SampleOf(set.y);
  data.target_type = set.y.type;
  data.loss = set.y.type == ElementType::kInt64 ? Loss::kCrossEntropy : Loss::kMeanSquares;
}

TrainingData LoadRecorded(const TrainingDataRequest& request) {
  Result<std::vector<DataSet>> batches =
      ReadRecordedBatches(ReadContent(request.name), request.type, request.name);
  if (!batches) {
    throw CommandFailure(ExitCode::kUsage, std::move(batches.diagnostics));
  }
  TrainingData data;
  data.recorded = std::make_shared<const std::vector<DataSet>>(*std::move(batches.value));
  const DataSet& first = data.recorded->front();
  data.microbatch_size = static_cast<std::int32_t>(first.x.shape.front());
  data.microbatches = static_cast<std::int64_t>(data.recorded->size());
  DescribeSamples(first, data);
  for (const DataSet& batch : *data.recorded) {
    data.outputs = std::max(data.outputs, OutputsOf(batch.y));
  }
  return data;
}

SplitData LoadSplit(const TrainingDataRequest& request) {
  if (request.name == "digits") {
    return SplitDigits(ReadContent(FindData("digits.safetensors")), request.type);
  }
  for (const TeacherName& teacher : kTeachers) {
    if (teacher.name == request.name) {
      const bool is_tokens = teacher.task == Task::kTokens;
      return TeacherData({.task = teacher.task,
                          .samples = request.samples,
                          .inputs = teacher.inputs,
                          .outputs = is_tokens ? request.vocabulary : teacher.outputs,
                          .size = is_tokens ? request.length : teacher.size,
                          .seed = request.seed},
                         request.type);
    }
  }
  RefuseUnknown(request.name);
}

std::string IdentityOf(const HostTensor& tensor) {
  const std::string_view bytes(reinterpret_cast<const char*>(tensor.memory.data),
                               tensor.memory.bytes);
  return fmt::format("{} [{}] {:016x}\n", static_cast<int>(tensor.type),
                     fmt::join(tensor.shape, ","), HashOf(bytes));
}

std::string IdentityOf(const DataSet& set) {
  return IdentityOf(set.x) + IdentityOf(set.y);
}

}  // namespace

std::function<std::unique_ptr<BatchSource>()> TrainingData::Training(std::int64_t per_epoch,
                                                                     std::uint64_t seed) const {
  if (recorded) {
    return [batches = recorded] { return std::make_unique<RecordedBatches>(batches); };
  }
  const auto data = std::make_shared<const DataSet>(split.training);
  const ShuffledBatches::Options options{microbatch_size, per_epoch, seed};
  return [data, options] { return std::make_unique<ShuffledBatches>(data, options); };
}

std::function<std::unique_ptr<BatchSource>()> TrainingData::Evaluation() const {
  if (EvaluationMicrobatches() == 0) {
    return {};
  }
  const auto data = std::make_shared<const DataSet>(split.evaluation);
  return [data, size = microbatch_size] { return std::make_unique<OrderedBatches>(data, size); };
}

std::int64_t TrainingData::EvaluationMicrobatches() const {
  return split.evaluation.x.shape.empty()
             ? 0
             : OrderedBatches::Count(split.evaluation, microbatch_size);
}

std::string TrainingData::Identity(std::int64_t per_epoch) const {
  std::string text = fmt::format("{} {}\n", microbatch_size, per_epoch);
  text += IdentityOf(split.training) + IdentityOf(split.evaluation);
  if (recorded) {
    for (const DataSet& batch : *recorded) {
      text += IdentityOf(batch);
    }
  }
  return text;
}

TrainingData LoadTrainingData(const TrainingDataRequest& request) {
  if (request.name.ends_with(".safetensors")) {
    return LoadRecorded(request);
  }
  TrainingData data;
  data.split = LoadSplit(request);
  data.microbatch_size = request.microbatch_size;
  data.microbatches = data.split.training.x.shape.front() / request.microbatch_size;
  if (data.microbatches == 0) {
    throw CommandFailure(ExitCode::kUsage, "--microbatch-size",
                         fmt::format("expected at most {}, the samples to train with, got {}",
                                     data.split.training.x.shape.front(), request.microbatch_size));
  }
  DescribeSamples(data.split.training, data);
  data.outputs = request.name == "tokens" ? request.vocabulary : OutputsOf(data.split.training.y);
  return data;
}

}  // namespace stagecraft
