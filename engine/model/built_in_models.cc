#include "engine/model/built_in_models.h"

namespace stagecraft {
namespace {

using enum LayerKind;

Layer Linear(std::int64_t in, std::int64_t out) {
  return MakeLayer(kLinear, {static_cast<double>(in), static_cast<double>(out)});
}

/// 3 by 3, keeps the size; without a bias, since a batch norm follows.
Layer Convolution(std::int64_t in, std::int64_t out) {
  return MakeLayer(kConv2d, {static_cast<double>(in), static_cast<double>(out), 3, 1, 1, 0});
}

Layer Sized(LayerKind kind, std::int64_t size) {
  return MakeLayer(kind, {static_cast<double>(size)});
}

}  // namespace

std::vector<std::vector<Layer>> MlpUnits(const MlpSizes& sizes) {
  std::vector<std::vector<Layer>> units;
  std::int64_t in = sizes.inputs;
  for (std::int64_t i = 0; i < sizes.depth; ++i) {
    units.push_back({Linear(in, sizes.width), MakeLayer(kRelu)});
    in = sizes.width;
  }
  units.push_back({Linear(in, sizes.outputs)});
  if (sizes.flattens) {
    units.front().insert(units.front().begin(), MakeLayer(kFlatten));
  }
  return units;
}

std::vector<std::vector<Layer>> ConvnetUnits(const ConvnetSizes& sizes) {
  const std::int64_t width = sizes.width;
  std::vector<std::vector<Layer>> units{
      {Convolution(sizes.channels, width), Sized(kBatchNorm2d, width), MakeLayer(kRelu)}};
  for (std::int64_t i = 0; i < sizes.blocks; ++i) {
    units.push_back(
        {MakeResidual({Convolution(width, width), Sized(kBatchNorm2d, width), MakeLayer(kRelu),
                       Convolution(width, width), Sized(kBatchNorm2d, width)}),
         MakeLayer(kRelu)});
  }
  units.push_back({MakeLayer(kMeanPool2d), Linear(width, sizes.classes)});
  return units;
}

std::vector<std::vector<Layer>> GptUnits(const GptSizes& sizes) {
  const auto width = static_cast<double>(sizes.width);
  std::vector<std::vector<Layer>> units{
      {MakeLayer(kEmbedding, {static_cast<double>(sizes.vocabulary), width}),
       MakeLayer(kPosition, {static_cast<double>(sizes.length), width})}};
  for (std::int64_t i = 0; i < sizes.blocks; ++i) {
    units.push_back(
        {MakeResidual({Sized(kLayerNorm, sizes.width),
                       MakeLayer(kAttention, {width, static_cast<double>(sizes.heads)})}),
         MakeResidual({Sized(kLayerNorm, sizes.width), Linear(sizes.width, 4 * sizes.width),
                       MakeLayer(kGelu), Linear(4 * sizes.width, sizes.width)})});
  }
  units.push_back({Sized(kLayerNorm, sizes.width), Linear(sizes.width, sizes.vocabulary)});
  return units;
}

}  // namespace stagecraft
