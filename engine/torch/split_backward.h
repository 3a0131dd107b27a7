#pragma once

#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/edge.h>

namespace stagecraft {

/// One backward in two halves, for any module: first the gradient of its input, later those of its
/// weights. Together they are bit for bit the whole backward.
///
///   x --> (a) --> (b) --> y       a and b reach x. Those of them that also reach parameters are
///          |       |              *branches*: the input phase notes what gradients come to them;
///          w       v              the weight phase starts there, with the edges towards x cut.
///
/// Source: the split of PyTorch's `torch/distributed/pipelining/_backward.py`, with edges cut in
/// the graph so that no gradient is computed or added twice, also for tied weights.
class SplitBackward {
 public:
  /// Requires: `input` is a leaf that needs a gradient, and `output` was computed from it.
  SplitBackward(at::Tensor output, at::Tensor input);

  /// Returns the gradient of the input. Called once.
  at::Tensor Input(const at::Tensor& output_gradient);

  /// Adds up the gradients of the parameters. Called once, after `Input`.
  void Weight();

 private:
  struct Branch {
    torch::autograd::Edge node;
    std::vector<bool> towards_input;    ///< Per edge that leaves the node: whether it leads to x.
    std::vector<at::Tensor> gradients;  ///< What came to the node in the input phase.
  };

  at::Tensor output_;
  at::Tensor input_;
  std::vector<Branch> branches_;
};

}  // namespace stagecraft
