#include "traces/pipedream_graph.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/diagnostic.h"
#include "traces/graph_artefacts.h"
#include "traces/graph_reader.h"
#include "traces/layer_graph.h"

namespace stagecraft {
namespace {

std::vector<Diagnostic> CheckArguments(std::string_view text, std::string_view file,
                                       std::int64_t batch_size) {
  std::vector<Diagnostic> faults;
  if (text.size() > kMaxGraphBytes) {
    faults.push_back(ErrorAt(std::string(file), fmt::format("expected at most {} bytes, got {}",
                                                            kMaxGraphBytes, text.size())));
  }
  if (batch_size < 1 || batch_size > kMaxMicrobatchSize) {
    faults.push_back(ErrorAt(
        std::string(file),
        fmt::format("expected a batch size from 1 to {}, got {}", kMaxMicrobatchSize, batch_size)));
  }
  return faults;
}

/// Why `order` does not hold every node that was not removed; empty if it does.
std::vector<Diagnostic> CheckOrder(const LayerGraph& graph, const std::vector<std::size_t>& order,
                                   std::string_view file) {
  std::vector<bool> placed(graph.size(), false);
  for (const std::size_t node : order) {
    placed[node] = true;
  }

  // A node that was never ready waits for itself in the end.
  for (std::size_t i = 0; i < graph.size(); ++i) {
    if (!placed[i] && !graph[i].removed) {
      return {ErrorAt(fmt::format("{}:{}", file, graph[i].line),
                      fmt::format("expected a graph without cycles, but {} waits for itself, or "
                                  "for one that does",
                                  graph[i].id))};
    }
  }

  if (order.empty()) {
    return {
        ErrorAt(std::string(file), "expected a layer beside inputs and unread outputs, got none")};
  }
  return {};
}

/// The layers of the profile, in `order`.
std::vector<ProfileLayer> LayersOf(const LayerGraph& graph, const std::vector<std::size_t>& order) {
  std::vector<std::int32_t> position(graph.size(), -1);
  std::vector<ProfileLayer> layers;
  layers.reserve(order.size());
  for (const std::size_t index : order) {
    const GraphNode& node = graph[index];
    position[index] = static_cast<std::int32_t>(layers.size());
    ProfileLayer& layer = layers.emplace_back();
    layer.name = fmt::format("{} {}", node.id, node.description);

    // Nodes that were removed have no place, and are nobody's inputs.
    for (const std::size_t input : node.inputs) {
      if (position[input] >= 0) {
        layer.inputs.push_back(position[input]);
      }
    }
    std::sort(layer.inputs.begin(), layer.inputs.end());

    MeasuredCosts& costs = layer.at.emplace_back();
    costs.forward = node.forward;
    costs.backward = node.backward;
    costs.output_bytes = node.output_bytes;
    layer.parameter_bytes = node.parameter_bytes;
  }
  return layers;
}

bool NamesSeveralStages(const LayerGraph& graph, const std::vector<std::size_t>& order) {
  return std::any_of(order.begin(), order.end(), [&](std::size_t node) {
    return graph[node].stage.has_value() && graph[node].stage != graph[order.front()].stage;
  });
}

}  // namespace

Result<Profile> ParsePipeDreamGraph(std::string_view text, std::string_view file,
                                    std::int64_t batch_size) {
  Result<Profile> result;
  result.diagnostics = CheckArguments(text, file, batch_size);
  if (HasErrors(result.diagnostics)) {
    return result;
  }

  Result<LayerGraph> read = ReadGraph(text, file);
  if (!read) {
    result.diagnostics = std::move(read.diagnostics);
    return result;
  }

  LayerGraph& graph = *read.value;
  std::vector<Artefact> artefacts = RemovePseudoNodes(graph);
  const std::vector<std::size_t> order = TopologicalOrder(graph);
  result.diagnostics = CheckOrder(graph, order, file);
  if (HasErrors(result.diagnostics)) {
    return result;
  }
  const std::vector<Artefact> kept = FindArtefacts(graph, order);
  artefacts.insert(artefacts.end(), kept.begin(), kept.end());

  Profile profile;
  profile.source.excluded = "data loading, optimizer step";
  for (const Artefact& artefact : artefacts) {
    const std::string where =
        artefact.line > 0 ? fmt::format("{}:{}", file, artefact.line) : std::string(file);
    result.diagnostics.push_back(WarningAt(where, artefact.sentence));
    profile.source.notes += (profile.source.notes.empty() ? "" : ". ") + artefact.sentence;
  }
  profile.microbatch_sizes = {batch_size};
  profile.layers = LayersOf(graph, order);
  profile.cut = PlannedCut(graph, order);
  // A plan that cannot be used is not passed over in silence.
  if (!profile.cut && NamesSeveralStages(graph, order)) {
    result.diagnostics.push_back(
        WarningAt(std::string(file),
                  "the stages that it names are not used: expected a stage_id for every "
                  "node, and none that reads a later stage"));
  }

  result.value = std::move(profile);
  return result;
}

}  // namespace stagecraft
