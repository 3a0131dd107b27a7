#pragma once

#include <memory>

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>

#include "engine/device.h"
#include "engine/model/host_tensor.h"

namespace stagecraft {

/// Where the tensors of a stage are: main memory, or a device, whose work runs behind the program.
/// Makes tensors of what comes from other stages and from the data, and back.
///
/// On a device a tensor between stages carries the event behind which it may be used, and is held,
/// after its last use here, until the compute stream has run that far. Nothing waits on the host.
class TensorPlace {
 public:
  /// `device` is null for main memory; outlives all tensors.
  TensorPlace(Device* device, ElementType type);

  /// Options of a tensor of the model's type.
  const at::TensorOptions& Options() const { return options_; }
  bool IsDevice() const { return device_ != nullptr; }

  /// The tensor that another stage sent: over its memory, or over a copy of it.
  at::Tensor FromStage(Boundary boundary, const TensorShape& shape) const;

  /// A tensor of data, which comes from main memory.
  at::Tensor FromData(HostTensor data) const;

  /// `tensor` for another stage, without a copy if the elements are in order. `received` is what
  /// `FromStage` gave for the op that made `tensor`, or no tensor: on a device, a view of it is
  /// copied, since whoever lets go of the last view must be this rank, on its thread.
  Boundary ToStage(const at::Tensor& tensor, const at::Tensor& received) const;

  /// Makes room in main memory for `count` tensors of `bytes` on their way to a device, so that
  /// none has to be made while the device waits for transfers.
  void Reserve(std::int64_t bytes, std::int32_t count) const;

  /// A tensor over memory that others own and that is here.
  at::Tensor Over(std::byte* data, const TensorShape& shape) const;

  /// Numbers on their way to main memory.
  struct Arriving {
    at::Tensor numbers;  ///< In main memory once `known`.
    std::shared_ptr<DeviceEvent> known;
  };
  Arriving ToMainMemory(const at::Tensor& numbers) const;

  /// Whether the numbers have arrived.
  bool IsKnown(const Arriving& arriving) const {
    return !arriving.known || device_->IsDone(*arriving.known);
  }

 private:
  Device* device_;
  ElementType type_;
  at::TensorOptions options_;
  std::shared_ptr<Shelf> shelf_;
};

}  // namespace stagecraft
