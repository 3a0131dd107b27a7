#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/data/safetensors.h"
#include "engine/model/host_tensor.h"
#include "schedules/tables.h"

namespace stagecraft {

/// Samples, and the target of each. The first extent of both tensors is the number of samples.
struct DataSet {
  HostTensor x;  ///< Inputs: of the model's type, or kInt64 for tokens.
  HostTensor y;  ///< Targets: kInt64 for classes, else of the model's type.
};

/// Micro-batches by number, for as long as a training goes on. Each rank has its own source; what a
/// number means does not depend on the rank that asks, nor on the order in which it asks.
class BatchSource {
 public:
  BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  virtual ~BatchSource() = default;

  /// How many samples a micro-batch has.
  virtual std::int64_t Samples(std::int64_t microbatch) = 0;
  virtual HostTensor Input(std::int64_t microbatch) = 0;
  virtual HostTensor Target(std::int64_t microbatch) = 0;

  /// What a micro-batch's gradient is weighted with, as the executor adds up gradients: exactly 1
  /// if all have as many samples.
  double Weight(std::int64_t microbatch) {
    return static_cast<double>(Samples(microbatch)) / static_cast<double>(SamplesOfFirst());
  }
  std::int64_t SamplesOfFirst() { return Samples(0); }
};

/// Micro-batches out of a data set, `per_epoch` of them per epoch. Within an epoch no sample comes
/// twice; samples that do not fill the epoch's micro-batches are left out of it.
class ShuffledBatches : public BatchSource {
 public:
  struct Options {
    std::int32_t size = 1;       ///< Samples per micro-batch.
    std::int64_t per_epoch = 1;  ///< Micro-batches per epoch: at most samples / size.
    std::uint64_t seed = 0;      ///< Fixes the order of the samples, together with the epoch.
  };
  ShuffledBatches(std::shared_ptr<const DataSet> data, const Options& options)
      : data_(std::move(data)), options_(options) {}

  std::int64_t Samples(std::int64_t /*microbatch*/) override { return options_.size; }
  HostTensor Input(std::int64_t microbatch) override { return Gather(data_->x, microbatch); }
  HostTensor Target(std::int64_t microbatch) override { return Gather(data_->y, microbatch); }

 private:
  HostTensor Gather(const HostTensor& from, std::int64_t microbatch);

  std::shared_ptr<const DataSet> data_;
  Options options_;
  std::int64_t epoch_ = -1;
  Table<std::int64_t> order_;  ///< The order of the samples in `epoch_`.
};

/// Every sample once, in the order of the data: for evaluation. The last micro-batch may be
/// smaller.
class OrderedBatches : public BatchSource {
 public:
  OrderedBatches(std::shared_ptr<const DataSet> data, std::int32_t size)
      : data_(std::move(data)), size_(size) {}

  std::int64_t Samples(std::int64_t microbatch) override {
    return std::min<std::int64_t>(size_, data_->x.shape.front() - microbatch * size_);
  }
  HostTensor Input(std::int64_t microbatch) override { return Slice(data_->x, microbatch); }
  HostTensor Target(std::int64_t microbatch) override { return Slice(data_->y, microbatch); }

  static std::int64_t Count(const DataSet& data, std::int32_t size) {
    return (data.x.shape.front() + size - 1) / size;
  }

 private:
  HostTensor Slice(const HostTensor& from, std::int64_t microbatch) const;

  std::shared_ptr<const DataSet> data_;
  std::int32_t size_;
};

/// Micro-batches that a file has as they are: `x.<q>` and `y.<q>` for q = 0, 1, ..., in this order.
/// An epoch is the first `per_epoch` of them; then they come again from the first.
class RecordedBatches : public BatchSource {
 public:
  /// Requires: `per_epoch` is at least 1, at most the number of `batches`.
  RecordedBatches(std::shared_ptr<const std::vector<DataSet>> batches, std::int64_t per_epoch)
      : batches_(std::move(batches)), per_epoch_(per_epoch) {}

  std::int64_t Samples(std::int64_t microbatch) override { return At(microbatch).x.shape.front(); }
  HostTensor Input(std::int64_t microbatch) override { return At(microbatch).x; }
  HostTensor Target(std::int64_t microbatch) override { return At(microbatch).y; }

 private:
  const DataSet& At(std::int64_t microbatch) const {
    return (*batches_)[static_cast<std::size_t>(microbatch % per_epoch_)];
  }
  std::shared_ptr<const std::vector<DataSet>> batches_;
  std::int64_t per_epoch_;
};

/// What a model and its loss want data to be.
struct DataWanted {
  ElementType type = ElementType::kFloat32;  ///< Type of what is neither token nor class.
  bool tokens = false;  ///< Whether inputs are whole numbers, for an embedding.
  /// Whether targets are classes, or else numbers; nullopt: whole numbers are classes.
  std::optional<bool> classes{};
};

/// All classes and tokens are below this number.
inline constexpr std::int64_t kMostClasses = std::int64_t{1} << 20;

/// The micro-batches of such a file, converted to what is wanted. All must have, but for the first
/// extent, the same shapes. Classes and tokens must be whole numbers from 0 on, below
/// `kMostClasses`. `file` is what diagnostics call it.
Result<std::vector<DataSet>> ReadRecordedBatches(const Safetensors& content,
                                                 const DataWanted& wanted, const std::string& file);

/// The largest of the classes, or tokens, in tensors of kInt64: `x.3`, element [2, 0].
struct LargestClass {
  std::int64_t value = -1;  ///< -1 if there are none.
  std::string where;        ///< `y.3: element [2]`.
};
LargestClass LargestToken(const std::vector<DataSet>& batches);
LargestClass LargestTarget(const std::vector<DataSet>& batches);

/// The first `count` micro-batches of `source`, as a file of recorded batches.
Safetensors RecordBatches(BatchSource& source, std::int64_t count);

}  // namespace stagecraft
