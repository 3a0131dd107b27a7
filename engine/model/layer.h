#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/host_tensor.h"

namespace stagecraft {

enum class LayerKind : std::uint8_t {
  kLinear,
  kRelu,
  kGelu,
  kTanh,
  kLayerNorm,
  kConv2d,
  kBatchNorm2d,
  kMeanPool2d,
  kFlatten,
  kEmbedding,
  kPosition,
  kAttention,
  kLstm,
  kDropout,
  kResidual,
};

/// A number that a layer needs.
struct LayerNumber {
  std::string_view name;
  double low = 0;
  double high = 0;
  double standard = kRequired;  ///< The value if none is given.
  bool whole = true;

  static constexpr double kRequired = -1;
};

/// What there is to know of a kind of layer.
struct LayerTraits {
  LayerKind kind;
  std::string_view name;  ///< The name in model files: `conv2d`.
  std::vector<LayerNumber> fields;
  std::string_view meaning;  ///< One line, for help texts.
};

const LayerTraits& TraitsOf(LayerKind kind);
std::span<const LayerTraits> AllLayerTraits();

/// One layer of a model: a kind and its numbers.
struct Layer {
  LayerKind kind = LayerKind::kRelu;
  std::vector<double> values{};  ///< The numbers, in the order of the fields of its kind.
  /// The layers of a residual, y = x + body(x); null for other kinds. Shared, since it is constant.
  std::shared_ptr<const std::vector<Layer>> body{};

  /// Requires: the kind has that field.
  double Value(std::string_view field) const;
  std::int64_t Size(std::string_view field) const {
    return static_cast<std::int64_t>(Value(field));
  }
};

/// A layer with values for its first fields; the others have their standard.
Layer MakeLayer(LayerKind kind, std::vector<double> values = {});
Layer MakeResidual(std::vector<Layer> body);

/// The distribution of a parameter's first values.
struct Initialiser {
  enum class Kind : std::uint8_t {
    kConstant,  ///< All elements are `value`.
    kUniform,   ///< Uniform in [-value, value).
    kNormal,    ///< Normal with mean 0 and deviation `value`.
  };
  Kind kind = Kind::kConstant;
  double value = 0;

  friend bool operator==(const Initialiser&, const Initialiser&) = default;
};

/// A tensor of a layer. Its name is PyTorch's, `weight`, of a layer within a residual with its
/// index in front, `1.weight`.
struct Parameter {
  std::string name;
  TensorShape shape;
  Initialiser initialiser;
};

/// The tensors that training changes, in the order in which the layer uses them. Initial values are
/// those that PyTorch's modules begin with, but for embeddings and positions, which are normal with
/// deviation 0.02 as in GPT-2.
std::vector<Parameter> ParametersOf(const Layer& layer);

/// The tensors that a forward changes: a batch norm's running mean and variance.
std::vector<Parameter> BuffersOf(const Layer& layer);

/// Shape of the output for an input; both with the extent of the micro-batch. Throws `Error` that
/// says what was found and expected.
TensorShape OutputShape(const Layer& layer, const TensorShape& input);

/// Multiplications and additions of a forward, roughly: those of its products of matrices, and one
/// for each element elsewhere.
double EstimatedWork(const Layer& layer, const TensorShape& input);

}  // namespace stagecraft
