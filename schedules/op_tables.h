#pragma once

#include <cstddef>
#include <cstdint>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// One entry for every pair of a stage and a micro-batch, in one piece of memory. Only for a
/// schedule that `IsDense`.
template <typename T>
class PairTable {
 public:
  PairTable() = default;
  explicit PairTable(const Shape& shape, const T& value = T())
      : PairTable(shape.stages, shape.microbatches, value) {}
  PairTable(std::int32_t stages, std::int32_t microbatches, const T& value = T())
      : stages_(stages), microbatches_(microbatches) {
    values_.assign(std::int64_t{stages} * microbatches, value);
  }

  /// Requires both in range, as the verifier's first rules make sure.
  decltype(auto) operator()(std::int32_t stage, std::int32_t microbatch) {
    return values_[Index(stage, microbatch)];
  }
  decltype(auto) operator()(std::int32_t stage, std::int32_t microbatch) const {
    return values_[Index(stage, microbatch)];
  }
  decltype(auto) operator[](const Op& op) { return (*this)(op.stage, op.microbatch); }
  decltype(auto) operator[](const Op& op) const { return (*this)(op.stage, op.microbatch); }

  /// The entries of one stage, by micro-batch.
  TableView<const T> Of(std::int32_t stage) const {
    return TableView<const T>(values_).Between(Index(stage, 0), Index(stage + 1, 0));
  }
  std::int32_t Stages() const { return stages_; }

  bool empty() const { return values_.empty(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::int64_t Index(std::int32_t stage, std::int32_t microbatch) const {
    return std::int64_t{stage} * microbatches_ + microbatch;
  }

  std::int32_t stages_ = 0;
  std::int32_t microbatches_ = 0;
  Table<T> values_;
};

/// One entry for every op of a schedule, in one piece of memory: by `OpRef`, or by op id (`OpIds`).
template <typename T>
class OpTable {
 public:
  using value_type = T;
  using const_iterator = typename Table<T>::const_iterator;

  OpTable() = default;
  explicit OpTable(const OpIds& ids, const T& value = T())
      : ids_(ids), values_(ids.Size(), value) {}
  explicit OpTable(const Schedule& schedule, const T& value = T())
      : OpTable(OpIds(schedule), value) {}

  decltype(auto) operator[](OpRef ref) { return values_[ids_.Of(ref)]; }
  decltype(auto) operator[](OpRef ref) const { return values_[ids_.Of(ref)]; }
  decltype(auto) operator[](std::int32_t id) { return values_[id]; }
  decltype(auto) operator[](std::int32_t id) const { return values_[id]; }

  /// The entries of one rank, in the order of its program.
  TableView<T> Of(std::int32_t rank) {
    return TableView<T>(values_).Between(ids_.Begin(rank), ids_.Begin(rank + 1));
  }
  TableView<const T> Of(std::int32_t rank) const {
    return TableView<const T>(values_).Between(ids_.Begin(rank), ids_.Begin(rank + 1));
  }

  const OpIds& Ids() const { return ids_; }
  bool empty() const { return values_.empty(); }
  std::size_t size() const { return values_.size(); }
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

  friend bool operator==(const OpTable& a, const OpTable& b) { return a.values_ == b.values_; }

 private:
  OpIds ids_;
  Table<T> values_;
};

}  // namespace stagecraft
