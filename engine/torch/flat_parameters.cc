#include "engine/torch/flat_parameters.h"

#include <ATen/ops/from_blob.h>

namespace stagecraft {
namespace {

at::Tensor ViewOf(const at::Tensor& flat, const PlacedParameter& parameter) {
  return flat.narrow(0, parameter.offset, Elements(parameter.shape)).view(parameter.shape);
}

}  // namespace

FlatParameters::FlatParameters(const std::vector<PlacedParameter>& parameters, WeightStore& weights,
                               const at::TensorOptions& options)
    : weights_(weights) {
  flat_ = at::from_blob(weights.Slot(0), {weights.Elements()}, options);
  const at::Tensor gradient = at::from_blob(weights.GradientData(), {weights.Elements()}, options);
  for (const PlacedParameter& parameter : parameters) {
    at::Tensor leaf = ViewOf(flat_, parameter).detach().requires_grad_();
    leaf.mutable_grad() = ViewOf(gradient, parameter);
    leaves_.push_back(std::move(leaf));
  }
}

void FlatParameters::Bind(std::int32_t slot) {
  if (slot != bound_) {
    flat_.storage().set_data_ptr_noswap(at::DataPtr(weights_.Slot(slot), flat_.device()));
    bound_ = slot;
  }
}

}  // namespace stagecraft
