#pragma once

#include <utility>

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include "engine/model/host_tensor.h"

namespace stagecraft {

inline at::ScalarType ScalarTypeOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return at::kFloat;
    case ElementType::kFloat64:
      return at::kDouble;
    case ElementType::kInt64:
      return at::kLong;
    default:
      return at::kByte;
  }
}

/// A tensor over `memory`, which is main memory, without a copy; it lives as long as the tensor.
inline at::Tensor TensorOver(Boundary memory, const TensorShape& shape, ElementType type) {
  void* const data = memory.data;
  return at::from_blob(
      data, shape, [owner = std::move(memory.owner)](void*) mutable { owner.reset(); },
      at::TensorOptions().dtype(ScalarTypeOf(type)));
}

/// The elements of `tensor` as a boundary, without a copy if they are in order.
inline Boundary BoundaryOver(const at::Tensor& tensor) {
  const auto owner = std::make_shared<at::Tensor>(tensor.detach().contiguous());
  auto* const data = static_cast<std::byte*>(owner->data_ptr());
  return {owner, data, owner->nbytes()};
}

}  // namespace stagecraft
