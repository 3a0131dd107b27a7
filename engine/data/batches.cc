#include "engine/data/batches.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/data/data_set.h"
#include "engine/model/random.h"
#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

/// A tensor for `samples` samples like those of `from`.
HostTensor LikeSamplesOf(const HostTensor& from, std::int64_t samples) {
  TensorShape shape = from.shape;
  shape.front() = samples;
  return MakeHostTensor(from.type, std::move(shape));
}

std::size_t BytesPerSample(const HostTensor& tensor) {
  return tensor.memory.bytes / static_cast<std::size_t>(tensor.shape.front());
}

TensorShape SampleOf(const HostTensor& tensor) {
  return {tensor.shape.begin() + 1, tensor.shape.end()};
}

/// What is wrong with micro-batch `number`, beside those before it; empty if nothing is.
std::string FaultOf(const DataSet& batch, const DataSet& first, std::size_t number) {
  if (batch.x.shape.empty() || batch.y.shape.empty() || batch.x.shape.front() < 1 ||
      batch.x.shape.front() != batch.y.shape.front()) {
    return fmt::format(
        "x.{0} and y.{0}: expected as many samples in both, at least one, got the "
        "shapes [{1}] and [{2}]",
        number, fmt::join(batch.x.shape, ", "), fmt::join(batch.y.shape, ", "));
  }

  for (const auto& [name, tensor, model] :
       {std::tuple("x", &batch.x, &first.x), std::tuple("y", &batch.y, &first.y)}) {
    if (tensor->type != model->type || SampleOf(*tensor) != SampleOf(*model)) {
      return fmt::format("{0}.{1}: expected type and sample shape of {0}.0, [{2}], got [{3}]", name,
                         number, fmt::join(SampleOf(*model), ", "),
                         fmt::join(SampleOf(*tensor), ", "));
    }
  }
  return "";
}

bool IsWhole(ElementType type) {
  return type == ElementType::kInt64 || type == ElementType::kUint8;
}

std::span<const std::int64_t> WholeNumbers(const HostTensor& tensor) {
  return {reinterpret_cast<const std::int64_t*>(tensor.memory.data),
          static_cast<std::size_t>(Elements(tensor.shape))};
}

/// `tensor` as classes, or else as numbers of `type`. Throws `Error` that says where something
/// does not fit.
HostTensor Fitted(const HostTensor& tensor, const std::string& name, bool classes,
                  ElementType type) {
  HostTensor fitted;
  try {
    fitted = Converted(tensor, classes ? ElementType::kInt64 : type);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", name, error.what()));
  }

  // Classes are counted, and index rows of an embedding or an output: they must be small.
  if (classes) {
    const std::span<const std::int64_t> numbers = WholeNumbers(fitted);
    const auto wrong = std::find_if(numbers.begin(), numbers.end(), [](std::int64_t number) {
      return number < 0 || number >= kMostClasses;
    });
    if (wrong != numbers.end()) {
      throw Error(fmt::format("{}: element {} is {}; expected a whole number from 0 to {}, {}",
                              name, PlaceText(fitted.shape, wrong - numbers.begin()), *wrong,
                              kMostClasses - 1, name.front() == 'x' ? "a token" : "a class"));
    }
  }
  return fitted;
}

LargestClass Largest(const std::vector<DataSet>& batches, char name, HostTensor DataSet::*tensor) {
  LargestClass largest;
  for (std::size_t q = 0; q < batches.size(); ++q) {
    const HostTensor& each = batches[q].*tensor;
    if (each.type != ElementType::kInt64 || Elements(each.shape) == 0) {
      continue;
    }

    const std::span<const std::int64_t> numbers = WholeNumbers(each);
    const auto found = std::max_element(numbers.begin(), numbers.end());
    if (*found > largest.value) {
      largest = {*found, fmt::format("{}.{}: element {}", name, q,
                                     PlaceText(each.shape, found - numbers.begin()))};
    }
  }
  return largest;
}

}  // namespace

HostTensor ShuffledBatches::Gather(const HostTensor& from, std::int64_t microbatch) {
  const std::int64_t epoch = microbatch / options_.per_epoch;
  if (epoch != epoch_) {
    order_.resize(from.shape.front());
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
    Random random(MixSeed({options_.seed, static_cast<std::uint64_t>(epoch)}));

    for (std::size_t left = order_.size(); left > 1; --left) {  // Fisher and Yates.
      const auto other = random.Below(static_cast<std::int64_t>(left));
      std::swap(order_[left - 1], order_[other]);
    }
    epoch_ = epoch;
  }

  // The micro-batch is a stretch of that order.
  HostTensor batch = LikeSamplesOf(from, options_.size);
  const std::size_t bytes = BytesPerSample(from);
  const std::int64_t first = microbatch % options_.per_epoch * options_.size;
  for (std::int64_t i = 0; i < options_.size; ++i) {
    const auto sample = static_cast<std::size_t>(order_[first + i]);
    std::memcpy(batch.memory.data + static_cast<std::size_t>(i) * bytes,
                from.memory.data + sample * bytes, bytes);
  }
  return batch;
}

HostTensor OrderedBatches::Slice(const HostTensor& from, std::int64_t microbatch) const {
  const std::int64_t first = microbatch * size_;
  HostTensor batch = LikeSamplesOf(from, std::min<std::int64_t>(size_, from.shape.front() - first));
  std::memcpy(batch.memory.data,
              from.memory.data + static_cast<std::size_t>(first) * BytesPerSample(from),
              batch.memory.bytes);
  return batch;
}

Result<std::vector<DataSet>> ReadRecordedBatches(const Safetensors& content,
                                                 const DataWanted& wanted,
                                                 const std::string& file) {
  std::vector<DataSet> batches;
  while (true) {
    const std::string x_name = fmt::format("x.{}", batches.size());
    const std::string y_name = fmt::format("y.{}", batches.size());
    const auto x = content.tensors.find(x_name);
    const auto y = content.tensors.find(y_name);
    if (x == content.tensors.end() || y == content.tensors.end()) {
      break;
    }

    const bool classes = wanted.classes.value_or(IsWhole(y->second.type));
    DataSet& batch = batches.emplace_back();
    try {
      batch.x = Fitted(x->second, x_name, wanted.tokens, wanted.type);
      batch.y = Fitted(y->second, y_name, classes, wanted.type);
    } catch (const Error& error) {
      return {std::nullopt, {ErrorAt(file, error.what())}};
    }
    std::string fault = FaultOf(batch, batches.front(), batches.size() - 1);
    if (!fault.empty()) {
      return {std::nullopt, {ErrorAt(file, std::move(fault))}};
    }
  }

  if (batches.empty() || content.tensors.size() != 2 * batches.size()) {
    return {std::nullopt,
            {ErrorAt(file, fmt::format("expected tensors x.0, y.0, x.1, y.1, ... without a gap and "
                                       "no others; found {} of {} tensors so",
                                       2 * batches.size(), content.tensors.size()))}};
  }
  return {std::move(batches), {}};
}

LargestClass LargestToken(const std::vector<DataSet>& batches) {
  return Largest(batches, 'x', &DataSet::x);
}

LargestClass LargestTarget(const std::vector<DataSet>& batches) {
  return Largest(batches, 'y', &DataSet::y);
}

Safetensors RecordBatches(BatchSource& source, std::int64_t count) {
  Safetensors content;
  for (std::int64_t q = 0; q < count; ++q) {
    content.tensors[fmt::format("x.{}", q)] = source.Input(q);
    content.tensors[fmt::format("y.{}", q)] = source.Target(q);
  }
  return content;
}

}  // namespace stagecraft
