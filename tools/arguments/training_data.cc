#include "tools/arguments/training_data.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/data/safetensors.h"
#include "engine/hash.h"
#include "schedules/closest.h"
#include "schedules/names.h"
#include "tools/command.h"
#include "tools/file_access.h"

namespace stagecraft {
namespace {

using Task = TeacherOptions::Task;

struct TeacherSizes {
  Task task;
  std::int64_t inputs, outputs, size;
};
constexpr TeacherSizes kTeachers[] = {{Task::kClasses, 16, 10, 1},
                                      {Task::kRegression, 16, 4, 1},
                                      {Task::kImages, 3, 10, 16},
                                      {Task::kTokens, 1, 1, 1}};

/// Throws `CommandFailure` (usage) with what is wrong in the file.
Safetensors ReadContent(const std::string& path) {
  Result<Safetensors> content = ReadSafetensors(ReadFile(path), path);
  if (!content) {
    throw CommandFailure(ExitCode::kUsage, std::move(content.diagnostics));
  }
  return *std::move(content.value);
}

/// Throws `CommandFailure` (usage) with the data that were probably meant.
[[noreturn]] void RefuseUnknown(const std::string& name) {
  std::vector<std::string_view> names = NamesOf(Task());
  names.insert(names.begin(), "digits");
  throw CommandFailure(ExitCode::kUsage, "--data",
                       fmt::format("expected {} or a *.safetensors file, got '{}'{}",
                                   fmt::join(names, ", "), name, DidYouMean(name, names)));
}

/// Without the first dimension, which counts the samples.
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

/// Takes shapes, types and the usual loss of the targets from `set`.
void DescribeSamples(const DataSet& set, TrainingData& data) {
  data.sample = SampleOf(set.x);
  data.input_type = set.x.type;
  data.target_sample = SampleOf(set.y);
  data.target_type = set.y.type;
  data.loss = set.y.type == ElementType::kInt64 ? Loss::kCrossEntropy : Loss::kMeanSquares;
}

/// The micro-batches of a file, as they are.
TrainingData LoadRecorded(const TrainingDataRequest& request) {
  DataWanted wanted{.type = request.type, .tokens = request.tokens};
  if (request.loss) {
    wanted.classes = *request.loss == Loss::kCrossEntropy;
  }

  Result<std::vector<DataSet>> batches =
      ReadRecordedBatches(ReadContent(request.name), wanted, request.name);
  if (!batches) {
    throw CommandFailure(ExitCode::kUsage, std::move(batches.diagnostics));
  }

  TrainingData data;
  data.name = request.name;
  data.recorded = std::make_shared<const std::vector<DataSet>>(*std::move(batches.value));

  const DataSet& first = data.recorded->front();
  data.microbatches = static_cast<std::int64_t>(data.recorded->size());
  data.microbatch_size = static_cast<std::int32_t>(data.Sizes(data.microbatches).largest);
  DescribeSamples(first, data);

  data.largest_token = LargestToken(*data.recorded);
  data.largest_target = LargestTarget(*data.recorded);
  data.outputs = OutputsOf(first.y);
  for (const LargestClass* largest : {&data.largest_token, &data.largest_target}) {
    data.outputs = std::max(data.outputs, largest->value + 1);
  }
  return data;
}

/// A data set by name, in samples for training and for evaluation.
SplitData LoadSplit(const TrainingDataRequest& request) {
  if (request.name == "digits") {
    return SplitDigits(ReadContent(FindData("digits.safetensors")), request.type);
  }

  for (const TeacherSizes& teacher : kTeachers) {
    if (ToString(teacher.task) == request.name) {
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

/// Type, shape and a hash of the bytes.
std::string IdentityOf(const HostTensor& tensor) {
  const std::string_view bytes(reinterpret_cast<const char*>(tensor.memory.data),
                               tensor.memory.bytes);
  return fmt::format("{} [{}] {:016x}\n", static_cast<int>(tensor.type),
                     fmt::join(tensor.shape, ","), HashOf(bytes));
}

std::string IdentityOf(const DataSet& set) {
  return IdentityOf(set.x) + IdentityOf(set.y);
}

std::int64_t SamplesIn(const DataSet& set) {
  return set.x.shape.front();
}

}  // namespace

std::string ToText(const MicrobatchSizes& sizes) {
  return sizes.AreEqual() ? std::to_string(sizes.largest)
                          : fmt::format("{} to {}", sizes.smallest, sizes.largest);
}

void RequireEqual(const MicrobatchSizes& sizes, const std::string& flag) {
  if (!sizes.AreEqual()) {
    throw CommandFailure(ExitCode::kUsage, flag,
                         fmt::format("a profile is of micro-batches of one size, but those of the "
                                     "data have {} samples; expected equal ones",
                                     ToText(sizes)));
  }
}

void RequireClasses(const TrainingData& data, std::optional<std::int64_t> tokens,
                    std::optional<std::int64_t> classes) {
  const auto require = [&](const LargestClass& largest, std::optional<std::int64_t> size,
                           const char* what) {
    if (size && largest.value >= *size) {
      throw CommandFailure(ExitCode::kUsage, data.name,
                           fmt::format("{} is {}; the model has {} {}, from 0 to {}", largest.where,
                                       largest.value, *size, what, *size - 1));
    }
  };
  require(data.largest_token, tokens, "tokens");
  require(data.largest_target, classes, "classes");
}

std::int64_t TrainingData::Samples() const {
  return recorded ? SamplesOfEpoch(microbatches) : SamplesIn(split.training);
}

MicrobatchSizes TrainingData::Sizes(std::int64_t per_epoch) const {
  if (!recorded) {
    return {microbatch_size, microbatch_size};
  }
  const auto [smallest, largest] = std::minmax_element(
      recorded->begin(), recorded->begin() + per_epoch,
      [](const DataSet& a, const DataSet& b) { return SamplesIn(a) < SamplesIn(b); });
  return {SamplesIn(*smallest), SamplesIn(*largest)};
}

std::int64_t TrainingData::SamplesOfEpoch(std::int64_t per_epoch) const {
  if (!recorded) {
    return per_epoch * microbatch_size;
  }
  return std::accumulate(
      recorded->begin(), recorded->begin() + per_epoch, std::int64_t{0},
      [](std::int64_t sum, const DataSet& batch) { return sum + SamplesIn(batch); });
}

std::function<std::unique_ptr<BatchSource>()> TrainingData::Training(std::int64_t per_epoch,
                                                                     std::uint64_t seed) const {
  if (recorded) {
    return [batches = recorded, per_epoch] {
      return std::make_unique<RecordedBatches>(batches, per_epoch);
    };
  }
  // All ranks share the samples; each has its own place in them.
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
  data.name = request.name;
  data.split = LoadSplit(request);
  data.microbatch_size = request.microbatch_size;
  data.microbatches = data.split.training.x.shape.front() / request.microbatch_size;

  // A last micro-batch that is not full is left out, which may be the only one.
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
