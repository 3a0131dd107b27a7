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
  double standard = kRequired;  ///< If it is not given.
  bool whole = true;

  static constexpr double kRequired = -1;
};

/// What there is to know of a kind of layer.
struct LayerTraits {
  LayerKind kind;
  std::string_view name;  ///< In model files.
  std::vector<LayerNumber> fields;
  std::string_view meaning;  ///< One line, for help texts.
};

const LayerTraits& TraitsOf(LayerKind kind);
std::span<const LayerTraits> AllLayerTraits();

/// One layer of a model: a kind and its numbers.
struct Layer {
  LayerKind kind = LayerKind::kRelu;
  std::vector<double> values{};  ///< In the order of the fields of its kind.
  /// Of a residual, else null: y = x + body(x). Shared, since nobody changes it.
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

/// How a parameter begins.
struct Initialiser {
  enum class Kind : std::uint8_t {
    kConstant,  ///< `value`.
    kUniform,   ///< In [-value, value).
    kNormal,    ///< Deviation `value`.
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

/// What training changes, in the order in which the layer uses them. Initial values are those that
/// PyTorch's modules begin with, but for embeddings and positions, which are normal with deviation
/// 0.02 as in GPT-2.
std::vector<Parameter> ParametersOf(const Layer& layer);

/// What the forward changes itself: a batch norm's running mean and variance.
std::vector<Parameter> BuffersOf(const Layer& layer);

/// Shape of the output for an input; both with the extent of the micro-batch. Throws `Error` that
/// says what was found and expected.
TensorShape OutputShape(const Layer& layer, const TensorShape& input);

/// Multiplications and additions of a forward, roughly: those of its products of matrices, and one
/// for each element elsewhere.
double EstimatedWork(const Layer& layer, const TensorShape& input);

}  // namespace stagecraft
