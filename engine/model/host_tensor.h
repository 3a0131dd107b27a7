#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/boundary.h"

namespace stagecraft {

/// What the elements of a tensor are. Models train in the first two.
enum class ElementType : std::uint8_t { kFloat32, kFloat64, kInt64, kUint8 };
inline constexpr std::size_t kTrainingTypes = 2;

inline std::vector<std::string_view> NamesOf(ElementType /*type*/) {
  return {"float32", "float64", "int64", "uint8"};
}

constexpr std::int64_t BytesOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return 4;
    case ElementType::kUint8:
      return 1;
    default:
      return 8;
  }
}

/// Extents of a tensor, outermost first, each at least 0; empty for a single number.
using TensorShape = std::vector<std::int64_t>;

/// Elements of a tensor of this shape. The caller has made sure that the product fits.
inline std::int64_t Elements(const TensorShape& shape) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) {
    elements *= extent;
  }
  return elements;
}

/// A tensor in main memory, row by row without gaps; `memory.bytes` is what shape and type say.
struct HostTensor {
  ElementType type = ElementType::kFloat32;
  TensorShape shape;
  Boundary memory;
};

/// An uninitialised tensor.
inline HostTensor MakeHostTensor(ElementType type, TensorShape shape) {
  const auto bytes = static_cast<std::size_t>(Elements(shape) * BytesOf(type));
  return {type, std::move(shape), MakeBoundary(bytes)};
}

}  // namespace stagecraft
