#pragma once

#include <cstdint>
#include <string>

#include "engine/data/batches.h"

namespace stagecraft {

/// `tensor` with elements of `type`, kFloat32, kFloat64 or kInt64. Floating point may be rounded to
/// narrower floating point; all else keeps its value, or throws `Error` that says which element
/// cannot, such as `element [3, 0] is NaN; expected a whole number`.
HostTensor Converted(const HostTensor& tensor, ElementType type);

/// `[3, 0]`: where an element is in a tensor of this shape.
std::string PlaceText(const TensorShape& shape, std::int64_t element);

/// What to train with and what to evaluate with; the latter may be empty.
struct SplitData {
  DataSet training, evaluation;
};

/// The handwritten digits of engine/data/digits.safetensors: grey values divided by 16, [n, 1, 8,
/// 8] of `type`, and classes. Every fifth image (index modulo 5 is 4) is for evaluation. Throws
/// `Error` if `content` is something else.
SplitData SplitDigits(const Safetensors& content, ElementType type);

/// Data that is made up: inputs at random, targets by a fixed teacher.
struct TeacherOptions {
  enum class Task : std::uint8_t {
    kRegression,  ///< x [n, inputs] normal; y [n, outputs] of a network with one hidden layer.
    kClasses,     ///< The same; y is which of its outputs is the largest.
    kImages,      ///< x [n, inputs, size, size] uniform in [0, 1); else as classes.
    kTokens,      ///< x [n, size] of `outputs` tokens, y what comes next: a Markov chain.
  };
  friend std::vector<std::string_view> NamesOf(Task /*task*/) {
    return {"regression", "classes", "images", "tokens"};
  }

  Task task = Task::kClasses;
  std::int64_t samples = 1;
  std::int64_t inputs = 1;
  std::int64_t outputs = 1;
  std::int64_t size = 1;
  std::uint64_t seed = 0;
};

/// Makes up the data, the same on every machine: four of five samples to train with, then the rest
/// to evaluate with.
SplitData TeacherData(const TeacherOptions& options, ElementType type);

}  // namespace stagecraft
