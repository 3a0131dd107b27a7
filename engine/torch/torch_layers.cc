#include "engine/torch/torch_layers.h"

#include <array>
#include <cmath>
#include <utility>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/lstm.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include "engine/model/random.h"
#include "schedules/check.h"

namespace stagecraft {
namespace {

/// torch.nn's defaults.
constexpr double kNormEpsilon = 1e-5;
constexpr double kStatisticsMomentum = 0.1;

/// On the device of `x`; costs a microsecond in main memory.
at::Generator GeneratorFor(const at::Tensor& x, std::uint64_t seed) {
  if (!x.is_cuda()) {
    return at::detail::createCPUGenerator(seed);
  }
  at::Generator generator = at::detail::getCUDAHooks().getNewGenerator(x.device().index());
  generator.set_current_seed(seed);
  return generator;
}

class LayerRun {
 public:
  LayerRun(std::span<const at::Tensor> parameters, std::span<const at::Tensor> statistics,
           const ForwardPass& pass)
      : parameters_(parameters), statistics_(statistics), pass_(pass) {}

  at::Tensor All(const std::vector<Layer>& layers, at::Tensor x) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      layer_ = pass_.first_layer + static_cast<std::int64_t>(i);
      dropouts_ = 0;
      x = One(layers[i], std::move(x));
    }
    return x;
  }

 private:
  // NOLINTNEXTLINE(misc-no-recursion): residuals nest a few levels.
  at::Tensor One(const Layer& layer, at::Tensor x) {
    switch (layer.kind) {
      case LayerKind::kLinear:
        return Linear(layer, x);
      case LayerKind::kRelu:
        return at::relu(x);
      case LayerKind::kGelu:
        return at::gelu(x);
      case LayerKind::kTanh:
        return at::tanh(x);

      case LayerKind::kLayerNorm: {
        const at::Tensor& weight = Parameter();
        return at::layer_norm(x, {layer.Size("size")}, weight, Parameter(), kNormEpsilon);
      }

      case LayerKind::kConv2d:
        return Convolution(layer, x);
      case LayerKind::kBatchNorm2d:
        return BatchNorm(x);
      case LayerKind::kMeanPool2d:
        return x.mean({2, 3});
      case LayerKind::kFlatten:
        return x.flatten(1);

      case LayerKind::kEmbedding:
        return at::embedding(Parameter(), x);
      case LayerKind::kPosition:
        return x.add(Parameter().narrow(0, 0, x.size(1)));
      case LayerKind::kAttention:
        return Attention(layer, x);
      case LayerKind::kLstm:
        return Lstm(layer, x);

      case LayerKind::kDropout:
        return Dropout(layer, x);
      case LayerKind::kResidual:
        return Residual(layer, x);
    }

    STAGECRAFT_CHECK(false, "a layer is of one of the kinds");
    return x;
  }

  at::Tensor Linear(const Layer& layer, const at::Tensor& x) {
    const at::Tensor& weight = Parameter();
    return at::linear(x, weight, layer.Size("bias") != 0 ? Parameter() : at::Tensor());
  }

  at::Tensor Convolution(const Layer& layer, const at::Tensor& x) {
    const at::Tensor& weight = Parameter();
    const at::Tensor bias = layer.Size("bias") != 0 ? Parameter() : at::Tensor();
    const std::int64_t stride = layer.Size("stride");
    const std::int64_t padding = layer.Size("padding");
    return at::conv2d(x, weight, bias, at::IntArrayRef{stride, stride},
                      at::IntArrayRef{padding, padding});
  }

  at::Tensor BatchNorm(const at::Tensor& x) {
    const at::Tensor& weight = Parameter();
    const at::Tensor& bias = Parameter();
    const at::Tensor mean = statistics_[0];
    const at::Tensor variance = statistics_[1];
    statistics_ = statistics_.subspan(2);
    const bool use = !pass_.training || pass_.gather_statistics;
    return at::batch_norm(x, weight, bias, use ? mean : at::Tensor(), use ? variance : at::Tensor(),
                          pass_.training, kStatisticsMomentum, kNormEpsilon,
                          /*cudnn_enabled=*/false);
  }

  /// Causal: a position attends to itself and those before it. x: [batch, length, dim].
  at::Tensor Attention(const Layer& layer, const at::Tensor& x) {
    const std::int64_t heads = layer.Size("heads");
    const std::int64_t batch = x.size(0);
    const std::int64_t length = x.size(1);
    const std::int64_t dim = x.size(2);
    const at::Tensor& in_weight = Parameter();
    const at::Tensor projected = at::linear(x, in_weight, Parameter());  // [batch, length, 3 dim]
    const at::Tensor parts =
        projected.view({batch, length, 3, heads, dim / heads}).permute({2, 0, 3, 1, 4});
    const at::Tensor attended = at::scaled_dot_product_attention(
        parts.select(0, 0), parts.select(0, 1), parts.select(0, 2), {}, 0.0, /*is_causal=*/true);
    const at::Tensor& out_weight = Parameter();
    return at::linear(attended.transpose(1, 2).reshape({batch, length, dim}), out_weight,
                      Parameter());
  }

  /// x: [batch, length, in]; from a zero state.
  at::Tensor Lstm(const Layer& layer, const at::Tensor& x) {
    const std::array<at::Tensor, 4> weights = {Parameter(), Parameter(), Parameter(), Parameter()};
    if (x.is_cuda()) {
      return LstmByCells(x, weights);
    }
    const at::Tensor state = at::zeros({1, x.size(0), layer.Size("out")}, x.options());
    return std::get<0>(at::lstm(x, {state, state}, weights, /*has_biases=*/true, /*num_layers=*/1,
                                /*dropout=*/0.0, pass_.training, /*bidirectional=*/false,
                                /*batch_first=*/true));
  }

  /// The same elements are dropped whenever the same micro-batch passes here.
  at::Tensor Dropout(const Layer& layer, const at::Tensor& x) {
    const double rate = layer.Value("p");
    const std::int64_t ordinal = dropouts_++;
    if (!pass_.training || rate == 0) {
      return x;
    }
    const at::Generator generator =
        GeneratorFor(x, MixSeed({pass_.seed, static_cast<std::uint64_t>(layer_),
                                 static_cast<std::uint64_t>(ordinal),
                                 static_cast<std::uint64_t>(pass_.microbatch)}));
    const at::Tensor kept = at::empty_like(x, at::MemoryFormat::Contiguous)
                                .bernoulli_(1 - rate, generator)
                                .div_(1 - rate);
    return x.mul(kept);
  }

  // NOLINTNEXTLINE(misc-no-recursion): as above.
  at::Tensor Residual(const Layer& layer, const at::Tensor& x) {
    at::Tensor y = x;
    for (const Layer& inner : *layer.body) {
      y = One(inner, std::move(y));
    }
    return x.add(y);
  }

  const at::Tensor& Parameter() {
    const at::Tensor& parameter = parameters_.front();
    parameters_ = parameters_.subspan(1);
    return parameter;
  }

  std::span<const at::Tensor> parameters_;
  std::span<const at::Tensor> statistics_;
  const ForwardPass& pass_;
  std::int64_t layer_ = 0;
  std::int64_t dropouts_ = 0;  ///< So far in the layer.
};

}  // namespace

at::Tensor LstmByCells(const at::Tensor& x, std::span<const at::Tensor, 4> weights) {
  const std::int64_t hidden = weights[1].size(1);
  at::Tensor h = at::zeros({x.size(0), hidden}, x.options());
  at::Tensor c = h;
  std::vector<at::Tensor> outputs;
  const at::Tensor from_input = at::linear(x, weights[0], weights[2]);  // [batch, length, 4 out]

  for (std::int64_t t = 0; t < x.size(1); ++t) {
    const at::Tensor gates = from_input.select(1, t).add(at::linear(h, weights[1], weights[3]));
    const at::Tensor in = gates.narrow(1, 0, hidden).sigmoid();
    const at::Tensor forget = gates.narrow(1, hidden, hidden).sigmoid();
    const at::Tensor cell = gates.narrow(1, 2 * hidden, hidden).tanh();
    const at::Tensor out = gates.narrow(1, 3 * hidden, hidden).sigmoid();
    c = forget.mul(c).add(in.mul(cell));
    h = out.mul(c.tanh());
    outputs.push_back(h);
  }
  return at::stack(outputs, 1);
}

at::Tensor RunLayers(const std::vector<Layer>& layers, at::Tensor x,
                     std::span<const at::Tensor> parameters, std::span<const at::Tensor> statistics,
                     const ForwardPass& pass) {
  return LayerRun(parameters, statistics, pass).All(layers, std::move(x));
}

}  // namespace stagecraft
