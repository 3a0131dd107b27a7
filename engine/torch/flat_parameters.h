#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/TensorOptions.h>

#include "engine/model/model.h"
#include "engine/optimizer/weight_store.h"

namespace stagecraft {

/// The parameters of one stage: leaves that are views of one storage, whose memory is one slot of
/// the weight store at a time. Their gradients are views of the store's gradient, so that autograd
/// adds up in place.
///
///   weight  bias  weight ...      leaves, made once
///      \     |    /
///       [storage] ----> slot 0 | slot 1 | ...        Bind: one pointer, whatever their number
///
/// A graph reads what is bound when it runs: the weights of a forward's slot and those of its
/// backward's. No version counter sees a change of slot, as with writes through `.data()`.
class FlatParameters {
 public:
  /// `options` has the type, and the device that the weights are on.
  FlatParameters(const std::vector<PlacedParameter>& parameters, WeightStore& weights,
                 const at::TensorOptions& options);

  void Bind(std::int32_t slot);

  std::span<const at::Tensor> Leaves() const { return leaves_; }

 private:
  WeightStore& weights_;
  at::Tensor flat_;
  std::int32_t bound_ = -1;
  std::vector<at::Tensor> leaves_;
};

}  // namespace stagecraft
