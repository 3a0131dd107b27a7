#include "traces/graph_artefacts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace stagecraft {
namespace {

/// Below it, times are noise.
constexpr Nanoseconds kWorthTelling = std::chrono::microseconds(500);

std::string Milliseconds(Nanoseconds time) {
  return fmt::format("{} ms", std::chrono::duration<double, std::milli>(time).count());
}

std::string NameOf(const GraphNode& node) {
  return fmt::format("{} {}", node.id,
                     std::string_view(node.description).substr(0, node.description.find('(')));
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool IsInput(const GraphNode& node) {
  if (!StartsWith(node.description, "Input")) {
    return false;
  }
  const std::string_view rest = std::string_view(node.description).substr(5);
  return std::all_of(rest.begin(), rest.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// A rule that holds for single layers, and how to say that it does.
struct LayerRule {
  bool (*holds)(const GraphNode&);
  std::string_view sentence;  ///< Behind `3 layers`.
};

constexpr std::array<LayerRule, 5> kLayerRules{{
    {[](const GraphNode& n) { return n.forward >= kWorthTelling && 10 * n.backward < n.forward; },
     "a backward below a tenth of the forward: its time was probably booked on a neighbour"},
    {[](const GraphNode& n) { return n.backward >= kWorthTelling && n.backward > 4 * n.forward; },
     "a backward above four times the forward: it probably holds a neighbour's time"},
    {[](const GraphNode& n) { return n.description.find("inplace") != std::string::npos; },
     "an output that overwrites the input (`inplace`): its bytes are counted a second time"},
    {[](const GraphNode& n) { return StartsWith(n.description, "__getitem__"); },
     "an output that is a part of the input (`__getitem__`): its bytes are counted a second time"},
    {[](const GraphNode& n) { return n.forward.count() == 0 && n.backward.count() == 0; },
     "no time at all (below the profiler's resolution, or not profiled)"},
}};

/// How many layers `rule` holds for, and which is the first; nullopt if there is none.
std::optional<Artefact> Find(const LayerRule& rule, const LayerGraph& graph,
                             const std::vector<std::size_t>& order) {
  std::size_t count = 0;
  const GraphNode* first = nullptr;
  for (const std::size_t i : order) {
    if (rule.holds(graph[i])) {
      first = count == 0 ? &graph[i] : first;
      ++count;
    }
  }

  if (first == nullptr) {
    return std::nullopt;
  }
  return Artefact{first->line, fmt::format("{} {} {}; the first is {}; unchanged", count,
                                           count == 1 ? "layer has" : "layers have", rule.sentence,
                                           NameOf(*first))};
}

/// A forward of the first layer with weights that is longer than its backward: the first kernel
/// that the profiler times also waits for the host.
std::optional<Artefact> FindSlowStart(const LayerGraph& graph,
                                      const std::vector<std::size_t>& order) {
  const auto first = std::find_if(order.begin(), order.end(),
                                  [&](std::size_t i) { return graph[i].parameter_bytes > 0; });
  if (first == order.end() || graph[*first].forward <= graph[*first].backward) {
    return std::nullopt;
  }
  const GraphNode& node = graph[*first];
  return Artefact{
      node.line,
      fmt::format("the first layer with weights, {}, has a forward longer than its "
                  "backward ({}, {}): it probably includes a wait of the host; "
                  "unchanged",
                  NameOf(node), Milliseconds(node.forward), Milliseconds(node.backward))};
}

/// Forwards so much shorter than backwards that nobody can have waited for the device.
std::optional<Artefact> FindMissingSync(const LayerGraph& graph,
                                        const std::vector<std::size_t>& order) {
  Nanoseconds forward{0};
  Nanoseconds backward{0};
  for (const std::size_t i : order) {
    forward += graph[i].forward;
    backward += graph[i].backward;
  }

  // A backward of about twice the forward is usual.
  if (backward <= 5 * forward) {
    return std::nullopt;
  }
  return Artefact{0, fmt::format("all forwards take {}, less than a fifth of all backwards, {}: "
                                 "they were probably timed without waiting for the device; "
                                 "unchanged",
                                 Milliseconds(forward), Milliseconds(backward))};
}

}  // namespace

std::vector<Artefact> RemovePseudoNodes(LayerGraph& graph) {
  std::vector<Artefact> artefacts;
  for (GraphNode& node : graph) {
    if (IsInput(node)) {
      node.removed = true;
      artefacts.push_back({node.line, fmt::format("{}: removed; its forward, {}, is data loading",
                                                  NameOf(node), Milliseconds(node.forward))});
    }
  }

  std::vector<std::size_t> readers = CountReaders(graph);
  std::vector<std::size_t> dangling;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    if (readers[i] == 0 && !graph[i].removed && StartsWith(graph[i].description, "__getitem__")) {
      dangling.push_back(i);
    }
  }

  // A node whose readers have all been removed is read by nobody either.
  std::size_t removed = 0;
  while (removed < dangling.size()) {
    GraphNode& node = graph[dangling[removed++]];
    node.removed = true;
    for (const std::size_t input : node.inputs) {
      if (--readers[input] == 0 && !graph[input].removed &&
          StartsWith(graph[input].description, "__getitem__")) {
        dangling.push_back(input);
      }
    }
  }

  if (removed > 0) {
    artefacts.push_back({graph[dangling.front()].line,
                         fmt::format("{} `__getitem__` {} nobody reads: removed", removed,
                                     removed == 1 ? "node that" : "nodes that")});
  }
  return artefacts;
}

std::vector<Artefact> FindArtefacts(const LayerGraph& graph,
                                    const std::vector<std::size_t>& order) {
  std::vector<Artefact> artefacts;
  // From the whole graph to single layers.
  const auto add = [&](std::optional<Artefact> artefact) {
    if (artefact) {
      artefacts.push_back(*std::move(artefact));
    }
  };

  add(FindSlowStart(graph, order));
  add(FindMissingSync(graph, order));
  for (const LayerRule& rule : kLayerRules) {
    add(Find(rule, graph, order));
  }

  artefacts.push_back({0, "there are no times of the optimizer step"});
  return artefacts;
}

}  // namespace stagecraft
