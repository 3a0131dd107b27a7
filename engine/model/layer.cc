#include "engine/model/layer.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/check.h"
#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

constexpr double kMost = 1 << 24;
constexpr double kEmbeddingDeviation = 0.02;

LayerNumber Size(std::string_view name) {
  return {.name = name, .low = 1, .high = kMost};
}
LayerNumber Flag(std::string_view name) {
  return {.name = name, .low = 0, .high = 1, .standard = 1};
}

const std::vector<LayerTraits>& LayerTable() {
  static const std::vector<LayerTraits> table = {
      {LayerKind::kLinear,
       "linear",
       {Size("in"), Size("out"), Flag("bias")},
       "x W^T + b over the last extent"},

      // Element by element.
      {LayerKind::kRelu, "relu", {}, "max(x, 0)"},
      {LayerKind::kGelu, "gelu", {}, "x times the normal distribution of x (exact, by erf)"},
      {LayerKind::kTanh, "tanh", {}, "hyperbolic tangent"},

      // Images, and what normalises.
      {LayerKind::kLayerNorm, "layernorm", {Size("size")}, "normalises the last extent"},
      {LayerKind::kConv2d,
       "conv2d",
       {Size("in"),
        Size("out"),
        {.name = "kernel", .low = 1, .high = 1024},
        {.name = "stride", .low = 1, .high = 1024, .standard = 1},
        {.name = "padding", .low = 0, .high = 1024, .standard = 0},
        Flag("bias")},
       "convolution of [batch, in, height, width]"},
      {LayerKind::kBatchNorm2d,
       "batchnorm2d",
       {Size("size")},
       "normalises each channel over the micro-batch; gathers running statistics"},
      {LayerKind::kMeanPool2d, "meanpool2d", {}, "mean over height and width"},
      {LayerKind::kFlatten, "flatten", {}, "all extents but the first in one"},

      // Texts.
      {LayerKind::kEmbedding,
       "embedding",
       {Size("size"), Size("dim")},
       "a learned vector for each whole number below size"},
      {LayerKind::kPosition,
       "position",
       {Size("length"), Size("dim")},
       "adds a learned vector for each position of [batch, length, dim]"},
      {LayerKind::kAttention,
       "attention",
       {Size("dim"), Size("heads")},
       "causal self-attention of [batch, length, dim]"},
      {LayerKind::kLstm,
       "lstm",
       {Size("in"), Size("out")},
       "LSTM over [batch, length, in]; all its outputs"},

      // Around and between others.
      {LayerKind::kDropout,
       "dropout",
       {{.name = "p", .low = 0, .high = 0.999, .standard = 0.5, .whole = false}},
       "sets a share p to 0 and scales the rest up"},
      {LayerKind::kResidual, "residual", {}, "adds the layers in it to their input"},
  };
  return table;
}

using Kind = Initialiser::Kind;

Initialiser Constant(double value) {
  return {Kind::kConstant, value};
}
Initialiser Uniform(double bound) {
  return {Kind::kUniform, bound};
}
Initialiser UniformFor(std::int64_t fan_in) {
  return Uniform(1 / std::sqrt(static_cast<double>(fan_in)));
}

/// A weight, and a bias if the layer has one, with PyTorch's bound.
std::vector<Parameter> WeightAndBias(const Layer& layer, TensorShape weight) {
  const std::int64_t fan_in = Elements(weight) / weight.front();
  const std::int64_t out = weight.front();
  std::vector<Parameter> parameters{{"weight", std::move(weight), UniformFor(fan_in)}};
  if (layer.Size("bias") != 0) {
    parameters.push_back({"bias", {out}, UniformFor(fan_in)});
  }
  return parameters;
}

std::vector<Parameter> AttentionParameters(std::int64_t dim) {
  // Xavier: sqrt(6 / (fan in + fan out)) of the packed projection.
  const double bound = std::sqrt(6.0 / static_cast<double>(dim + 3 * dim));
  return {{"in_proj_weight", {3 * dim, dim}, Uniform(bound)},
          {"in_proj_bias", {3 * dim}, Constant(0)},
          {"out_proj.weight", {dim, dim}, UniformFor(dim)},
          {"out_proj.bias", {dim}, Constant(0)}};
}

std::vector<Parameter> LstmParameters(std::int64_t in, std::int64_t out) {
  const Initialiser initialiser = UniformFor(out);
  return {{"weight_ih_l0", {4 * out, in}, initialiser},
          {"weight_hh_l0", {4 * out, out}, initialiser},
          {"bias_ih_l0", {4 * out}, initialiser},
          {"bias_hh_l0", {4 * out}, initialiser}};
}

// Residuals nest a few levels, which the reader of model files limits.
// NOLINTBEGIN(misc-no-recursion)

/// Those of the layers of a residual, with the layer's index in front of their names.
template <typename TensorsOf>
std::vector<Parameter> OfBody(const Layer& layer, const TensorsOf& tensors_of) {
  std::vector<Parameter> all;
  for (std::size_t i = 0; i < layer.body->size(); ++i) {
    for (Parameter& parameter : tensors_of((*layer.body)[i])) {
      parameter.name = fmt::format("{}.{}", i, parameter.name);
      all.push_back(std::move(parameter));
    }
  }
  return all;
}

[[noreturn]] void RefuseShape(const Layer& layer, const std::string& expected,
                              const TensorShape& input) {
  throw Error(fmt::format("{}: expected {}, got [{}]", TraitsOf(layer.kind).name, expected,
                          fmt::join(input, ", ")));
}

void ExpectRank(const Layer& layer, const TensorShape& input, std::size_t rank,
                const char* extents) {
  if (input.size() != rank) {
    RefuseShape(layer, fmt::format("an input [{}]", extents), input);
  }
}

void ExpectExtent(const Layer& layer, const TensorShape& input, std::size_t index,
                  std::string_view field) {
  if (input.size() <= index || input[index] != layer.Size(field)) {
    RefuseShape(layer, fmt::format("{} as extent {} ({})", layer.Size(field), index, field), input);
  }
}

void ExpectLast(const Layer& layer, const TensorShape& input, std::string_view field) {
  if (input.size() < 2 || input.back() != layer.Size(field)) {
    RefuseShape(layer, fmt::format("a last extent of {} ({})", layer.Size(field), field), input);
  }
}

TensorShape WithLast(TensorShape shape, std::int64_t last) {
  shape.back() = last;
  return shape;
}

TensorShape ConvolutionShape(const Layer& layer, const TensorShape& input) {
  ExpectRank(layer, input, 4, "batch, channels, height, width");
  ExpectExtent(layer, input, 1, "in");
  TensorShape output = {input[0], layer.Size("out"), 0, 0};

  for (const std::size_t i : {std::size_t{2}, std::size_t{3}}) {
    const std::int64_t room = input[i] + 2 * layer.Size("padding") - layer.Size("kernel");
    if (room < 0) {
      RefuseShape(layer,
                  fmt::format("at least {} by {} after padding", layer.Size("kernel"),
                              layer.Size("kernel")),
                  input);
    }
    output[i] = room / layer.Size("stride") + 1;
  }
  return output;
}

TensorShape SequenceShape(const Layer& layer, const TensorShape& input, std::string_view in) {
  ExpectRank(layer, input, 3, "batch, length, features");
  ExpectExtent(layer, input, 2, in);
  return input;
}

TensorShape AttentionShape(const Layer& layer, const TensorShape& input) {
  if (layer.Size("dim") % layer.Size("heads") != 0) {
    throw Error(fmt::format("attention: expected a dim that heads divides, got dim {} and heads {}",
                            layer.Size("dim"), layer.Size("heads")));
  }
  return SequenceShape(layer, input, "dim");
}

TensorShape PositionShape(const Layer& layer, const TensorShape& input) {
  SequenceShape(layer, input, "dim");
  if (input[1] > layer.Size("length")) {
    RefuseShape(layer, fmt::format("at most {} positions (length)", layer.Size("length")), input);
  }
  return input;
}

TensorShape EmbeddingShape(const Layer& layer, TensorShape input) {
  input.push_back(layer.Size("dim"));
  return input;
}

TensorShape ResidualShape(const Layer& layer, const TensorShape& input) {
  TensorShape shape = input;
  for (const Layer& inner : *layer.body) {
    shape = OutputShape(inner, shape);
  }
  if (shape != input) {
    RefuseShape(
        layer, fmt::format("layers that keep the shape; they make it [{}]", fmt::join(shape, ", ")),
        input);
  }
  return shape;
}

}  // namespace

std::span<const LayerTraits> AllLayerTraits() {
  return LayerTable();
}

const LayerTraits& TraitsOf(LayerKind kind) {
  const LayerTraits& traits = LayerTable()[static_cast<std::size_t>(kind)];
  STAGECRAFT_CHECK(traits.kind == kind, "the table is in the order of the kinds");
  return traits;
}

double Layer::Value(std::string_view field) const {
  const std::vector<LayerNumber>& fields = TraitsOf(kind).fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == field) {
      return values[i];
    }
  }
  STAGECRAFT_CHECK(false, "a layer has the fields of its kind");
  return 0;
}

Layer MakeLayer(LayerKind kind, std::vector<double> values) {
  const std::vector<LayerNumber>& fields = TraitsOf(kind).fields;
  while (values.size() < fields.size()) {
    STAGECRAFT_CHECK(fields[values.size()].standard != LayerNumber::kRequired,
                     "required fields are given");
    values.push_back(fields[values.size()].standard);
  }
  return {kind, std::move(values), {}};
}

Layer MakeResidual(std::vector<Layer> body) {
  return {LayerKind::kResidual, {}, std::make_shared<const std::vector<Layer>>(std::move(body))};
}

std::vector<Parameter> ParametersOf(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kLinear:
      return WeightAndBias(layer, {layer.Size("out"), layer.Size("in")});
    case LayerKind::kConv2d:
      return WeightAndBias(
          layer, {layer.Size("out"), layer.Size("in"), layer.Size("kernel"), layer.Size("kernel")});
    case LayerKind::kLayerNorm:
    case LayerKind::kBatchNorm2d:
      return {{"weight", {layer.Size("size")}, Constant(1)},
              {"bias", {layer.Size("size")}, Constant(0)}};

    case LayerKind::kEmbedding:
      return {{"weight",
               {layer.Size("size"), layer.Size("dim")},
               {Kind::kNormal, kEmbeddingDeviation}}};
    case LayerKind::kPosition:
      return {{"weight",
               {layer.Size("length"), layer.Size("dim")},
               {Kind::kNormal, kEmbeddingDeviation}}};
    case LayerKind::kAttention:
      return AttentionParameters(layer.Size("dim"));
    case LayerKind::kLstm:
      return LstmParameters(layer.Size("in"), layer.Size("out"));

    case LayerKind::kResidual:
      return OfBody(layer, [](const Layer& inner) { return ParametersOf(inner); });
    default:
      return {};
  }
}

std::vector<Parameter> BuffersOf(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kBatchNorm2d:
      return {{"running_mean", {layer.Size("size")}, Constant(0)},
              {"running_var", {layer.Size("size")}, Constant(1)}};
    case LayerKind::kResidual:
      return OfBody(layer, [](const Layer& inner) { return BuffersOf(inner); });
    default:
      return {};
  }
}

TensorShape OutputShape(const Layer& layer, const TensorShape& input) {
  switch (layer.kind) {
    case LayerKind::kLinear:
      ExpectLast(layer, input, "in");
      return WithLast(input, layer.Size("out"));
    case LayerKind::kLayerNorm:
      ExpectLast(layer, input, "size");
      return input;

    case LayerKind::kConv2d:
      return ConvolutionShape(layer, input);
    case LayerKind::kBatchNorm2d:
      ExpectRank(layer, input, 4, "batch, channels, height, width");
      ExpectExtent(layer, input, 1, "size");
      return input;
    case LayerKind::kMeanPool2d:
      ExpectRank(layer, input, 4, "batch, channels, height, width");
      return {input[0], input[1]};
    case LayerKind::kFlatten:
      return {input.front(), Elements(input) / input.front()};

    case LayerKind::kEmbedding:
      return EmbeddingShape(layer, input);
    case LayerKind::kPosition:
      return PositionShape(layer, input);
    case LayerKind::kAttention:
      return AttentionShape(layer, input);
    case LayerKind::kLstm:
      return WithLast(SequenceShape(layer, input, "in"), layer.Size("out"));

    case LayerKind::kResidual:
      return ResidualShape(layer, input);
    default:
      return input;
  }
}

double EstimatedWork(const Layer& layer, const TensorShape& input) {
  const auto elements = [](const TensorShape& shape) {
    return static_cast<double>(Elements(shape));
  };
  double parameters = 0;
  for (const Parameter& parameter : ParametersOf(layer)) {
    parameters += parameter.shape.size() > 1 ? elements(parameter.shape) : 0;
  }

  switch (layer.kind) {
    case LayerKind::kLinear:
    case LayerKind::kLstm:  // Each row of the input meets each weight once.
      return elements(input) / static_cast<double>(input.back()) * parameters;
    case LayerKind::kAttention:  // And each position each one before it, twice.
      return static_cast<double>(input[0] * input[1]) *
             (parameters + static_cast<double>(input[1] * input[2]));
    case LayerKind::kConv2d: {
      const TensorShape output = OutputShape(layer, input);
      return static_cast<double>(output[0] * output[2] * output[3]) * parameters;
    }
    case LayerKind::kResidual: {
      double work = elements(input);
      TensorShape shape = input;
      for (const Layer& inner : *layer.body) {
        work += EstimatedWork(inner, shape);
        shape = OutputShape(inner, shape);
      }
      return work;
    }
    default:
      return elements(OutputShape(layer, input));
  }
}

// NOLINTEND(misc-no-recursion)

}  // namespace stagecraft
