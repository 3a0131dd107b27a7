#include "engine/batches.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/data_set.h"
#include "engine/random.h"
#include "traces/fault.h"

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

}  // namespace

HostTensor ShuffledBatches::Gather(const HostTensor& from, std::int64_t microbatch) {
  const std::int64_t epoch = microbatch / options_.per_epoch;
  if (epoch != epoch_) {
    order_.resize(static_cast<std::size_t>(from.shape.front()));
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
    Random random(MixSeed({options_.seed, static_cast<std::uint64_t>(epoch)}));
    for (std::size_t left = order_.size(); left > 1; --left) {  // Fisher and Yates.
      const auto other = random.Below(static_cast<std::int64_t>(left));
      std::swap(order_[left - 1], order_[static_cast<std::size_t>(other)]);
    }
    epoch_ = epoch;
  }
  HostTensor batch = LikeSamplesOf(from, options_.size);
  const std::size_t bytes = BytesPerSample(from);
  const std::int64_t first = microbatch % options_.per_epoch * options_.size;
  for (std::int64_t i = 0; i < options_.size; ++i) {
    const auto sample = static_cast<std::size_t>(order_[static_cast<std::size_t>(first + i)]);
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

Result<std::vector<DataSet>> ReadRecordedBatches(const Safetensors& content, ElementType type,
                                                 const std::string& file) {
  std::vector<DataSet> batches;
  while (true) {
    const auto x = content.tensors.find(fmt::format("x.{}", batches.size()));
    const auto y = content.tensors.find(fmt::format("y.{}", batches.size()));
    if (x == content.tensors.end() || y == content.tensors.end()) {
      break;
    }
    batches.push_back({WithFloats(x->second, type), WithFloats(y->second, type)});
    std::string fault = FaultOf(batches.back(), batches.front(), batches.size() - 1);
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

Safetensors RecordBatches(BatchSource& source, std::int64_t count) {
  Safetensors content;
  for (std::int64_t q = 0; q < count; ++q) {
    content.tensors[fmt::format("x.{}", q)] = source.Input(q);
    content.tensors[fmt::format("y.{}", q)] = source.Target(q);
  }
  return content;
}

}  // namespace stagecraft
