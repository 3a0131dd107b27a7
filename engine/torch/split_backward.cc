#include "engine/torch/split_backward.h"

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

namespace stagecraft {
namespace {

using torch::autograd::Edge;
using torch::autograd::Node;
using torch::autograd::variable_list;

/// Notes the gradients that come to a node.
class Note : public torch::autograd::FunctionPreHook {
 public:
  explicit Note(std::vector<at::Tensor>& into) : into_(into) {}
  variable_list operator()(const variable_list& gradients) override {
    into_ = gradients;
    return gradients;
  }

 private:
  std::vector<at::Tensor>& into_;
};

/// For every node that `root` leads to: whether it leads on to `target`.
std::unordered_map<Node*, bool> FindWaysTo(Node* target, Node* root) {
  std::unordered_map<Node*, bool> leads;
  std::vector<std::pair<Node*, std::size_t>> path{{root, 0}};
  leads[root] = root == target;

  while (!path.empty()) {
    const auto [node, next] = path.back();
    if (next == node->num_outputs()) {
      path.pop_back();
      if (!path.empty() && leads[node]) {
        leads[path.back().first] = true;
      }
      continue;
    }

    ++path.back().second;
    Node* const successor = node->next_edge(next).function.get();
    if (successor == nullptr) {
      continue;
    }

    const auto [found, is_new] = leads.try_emplace(successor, successor == target);
    if (is_new) {
      path.emplace_back(successor, 0);
    } else if (found->second) {
      leads[node] = true;
    }
  }
  return leads;
}

}  // namespace

SplitBackward::SplitBackward(at::Tensor output, at::Tensor input)
    : output_(std::move(output)), input_(std::move(input)) {
  const Edge root = torch::autograd::impl::gradient_edge(output_);
  Node* const target = torch::autograd::impl::gradient_edge(input_).function.get();
  const std::unordered_map<Node*, bool> leads = FindWaysTo(target, root.function.get());

  // Through the nodes that lead to the input, each once, in an order that the graph alone fixes.
  std::unordered_map<Node*, bool> seen;
  std::vector<Edge> open{root};
  while (!open.empty()) {
    const Edge edge = open.back();
    open.pop_back();
    if (!seen.emplace(edge.function.get(), true).second) {
      continue;
    }

    Branch branch{edge, {}, {}};
    bool is_branch = false;
    for (const Edge& next : edge.function->next_edges()) {
      const bool towards_input = next.is_valid() && leads.at(next.function.get());
      branch.towards_input.push_back(towards_input);
      if (towards_input) {
        open.push_back(next);
      } else {
        is_branch = is_branch || next.is_valid();
      }
    }
    if (is_branch) {
      branches_.push_back(std::move(branch));
    }
  }
}

at::Tensor SplitBackward::Input(const at::Tensor& output_gradient) {
  // Notes the gradients of the branches on the way.
  for (Branch& branch : branches_) {
    branch.node.function->add_pre_hook(std::make_unique<Note>(branch.gradients));
  }
  variable_list gradients =
      torch::autograd::grad({output_}, {input_}, {output_gradient}, /*retain_graph=*/true);

  // The edges towards the input are cut: the second half must not run them once more.
  for (Branch& branch : branches_) {
    branch.node.function->pre_hooks().clear();
    auto& edges = branch.node.function->next_edges();
    for (std::size_t i = 0; i < branch.towards_input.size(); ++i) {
      if (branch.towards_input[i]) {
        edges[i] = Edge();
      }
    }
  }

  output_ = at::Tensor();
  input_ = at::Tensor();
  return std::move(gradients.front());
}

void SplitBackward::Weight() {
  torch::autograd::edge_list roots;
  variable_list gradients;
  for (Branch& branch : branches_) {
    for (std::size_t i = 0; i < branch.gradients.size(); ++i) {
      if (branch.gradients[i].defined()) {
        roots.emplace_back(branch.node.function, static_cast<std::uint32_t>(i));
        gradients.push_back(std::move(branch.gradients[i]));
      }
    }
  }

  branches_.clear();
  if (!roots.empty()) {
    torch::autograd::Engine::get_default_engine().execute(
        roots, gradients, /*keep_graph=*/false, /*create_graph=*/false, /*accumulate_grad=*/true);
  }
}

}  // namespace stagecraft
