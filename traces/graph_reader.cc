#include "traces/graph_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "schedules/closest.h"
#include "schedules/diagnostic.h"
#include "schedules/fault_list.h"
#include "schedules/visible_text.h"
#include "traces/costs.h"
#include "traces/layer_profile.h"

namespace stagecraft {
namespace {

constexpr std::string_view kSeparator = " -- ";
constexpr std::size_t kMostFaults = 50;  // Reading stops there.
constexpr std::array<std::string_view, 4> kKeys{"forward_compute_time", "backward_compute_time",
                                                "activation_size", "parameter_size"};

/// A piece of a line, with the column (from 0) where it starts.
struct Piece {
  std::string_view text;
  std::size_t column = 0;
};

/// Cuts off the front of `rest` up to `separator`; all of it if there is none.
Piece TakePiece(Piece& rest, std::string_view separator) {
  const std::size_t end = rest.text.find(separator);
  const Piece piece{rest.text.substr(0, end), rest.column};
  const std::size_t taken =
      end == std::string_view::npos ? rest.text.size() : end + separator.size();
  rest = {rest.text.substr(taken), rest.column + taken};
  return piece;
}

/// A finite decimal number that is the whole of `text`.
std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

/// Reads line by line. Edges are connected at the end, since they may stand before their nodes.
class GraphReader {
 public:
  GraphReader(std::string_view text, std::string_view file)
      : rest_(text), file_(file), faults_(file, kMostFaults) {}

  Result<LayerGraph> Read() {
    while (!rest_.empty() && !faults_.Full()) {
      const std::size_t end = rest_.find('\n');
      line_ = rest_.substr(0, end);
      rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
      ++number_;
      if (!line_.empty() && line_.back() == '\r') {
        line_.remove_suffix(1);
      }
      ReadLine();
    }

    for (const Edge& edge : edges_) {
      Connect(edge);
    }

    // A file whose only nodes are faulty already has better messages.
    if (graph_.empty() && faults_.Empty()) {
      faults_.Add(ErrorAt(std::string(file_), "expected at least one node, got none"));
    }

    Result<LayerGraph> result;
    result.diagnostics = faults_.Take();
    if (result.diagnostics.empty()) {
      SortInputs();
      result.value = std::move(graph_);
    }
    return result;
  }

 private:
  /// An edge, and its line for messages about it.
  struct Edge {
    Piece from;
    Piece to;
    std::string_view line;
    std::int64_t number;
  };

  /// A fault in the line that is read; `column` counts from 0.
  void Fault(std::size_t column, std::string message) {
    Diagnostic fault =
        ErrorAt(fmt::format("{}:{}:{}", file_, number_, column + 1), std::move(message));
    fault.excerpt = CaretExcerpt(line_, column);
    faults_.Add(std::move(fault));
  }

  void ReadLine() {
    const auto strange = std::find_if(line_.begin(), line_.end(),
                                      [](char c) { return (c < ' ' && c != '\t') || c > '~'; });
    if (strange != line_.end()) {
      Fault(static_cast<std::size_t>(strange - line_.begin()), "expected plain ASCII text");
      return;
    }

    if (line_.find_first_not_of(" \t") == std::string_view::npos) {
      return;
    }
    // Only edges are indented.
    if (line_.front() == '\t') {
      ReadEdge();
    } else {
      ReadNode();
    }
  }

  /// `<tab>node2 -- node3`.
  void ReadEdge() {
    Piece rest{line_.substr(1), 1};
    const Piece from = TakePiece(rest, kSeparator);
    if (from.text.empty() || rest.text.empty()) {
      Fault(1, "expected an edge, `<tab>id -- id`");
      return;
    }
    edges_.push_back({from, rest, line_, number_});
  }

  /// `node2 -- Conv2d(3, 64, ...) -- costs`, and behind them perhaps a stage.
  void ReadNode() {
    Piece rest{line_, 0};
    const Piece id = TakePiece(rest, kSeparator);
    const Piece description = TakePiece(rest, kSeparator);
    Piece costs = TakePiece(rest, kSeparator);
    if (id.text.empty() || description.text.empty() || costs.text.empty()) {
      Fault(0, "expected a node, `id -- description -- forward_compute_time=..., ...`");
      return;
    }

    if (graph_.size() >= static_cast<std::size_t>(kMaxLayers)) {
      Fault(0, fmt::format("expected at most {} nodes", kMaxLayers));
      // Nothing behind it is read.
      rest_ = {};
      return;
    }

    GraphNode node;
    node.id = id.text;
    node.description = description.text;
    node.line = number_;
    if (!index_.emplace(node.id, graph_.size()).second) {
      Fault(id.column, fmt::format("expected each node once, got {} again", node.id));
    }

    ReadCosts(costs, node);
    if (!rest.text.empty()) {
      ReadStage(rest, node);
    }
    graph_.push_back(std::move(node));
  }

  /// `stage_id=N`, which PipeDream's optimizer writes behind the costs.
  void ReadStage(Piece value, GraphNode& node) {
    const Piece key = TakePiece(value, "=");
    const std::optional<double> number = ParseNumber(value.text);
    if (key.text != "stage_id" || !number || *number < 0 ||
        *number >= static_cast<double>(kMaxLayers) || *number != std::floor(*number)) {
      Fault(key.column, fmt::format("expected `stage_id=N`, with N from 0 to {}, or nothing behind "
                                    "the costs",
                                    kMaxLayers - 1));
      return;
    }
    node.stage = static_cast<std::int32_t>(*number);
  }

  /// `key=value, key=value, ...`.
  void ReadCosts(Piece rest, GraphNode& node) {
    std::array<bool, kKeys.size()> seen{};
    const std::size_t begin = rest.column;
    while (!rest.text.empty()) {
      Piece value = TakePiece(rest, ", ");
      const Piece key = TakePiece(value, "=");
      const auto known = std::find(kKeys.begin(), kKeys.end(), key.text);
      if (known == kKeys.end()) {
        // A wrong key may be a typing error.
        const std::string_view meant = Closest(key.text, kKeys);
        Fault(key.column, meant.empty() ? fmt::format("expected one of {}", fmt::join(kKeys, ", "))
                                        : fmt::format("unknown key; did you mean {}?", meant));
        continue;
      }

      const auto index = static_cast<std::size_t>(known - kKeys.begin());
      if (seen[index]) {
        Fault(key.column, fmt::format("expected {} once", *known));
      }
      seen[index] = true;
      ReadCost(index, value, node);
    }

    for (std::size_t i = 0; i < kKeys.size(); ++i) {
      if (!seen[i]) {
        Fault(begin, fmt::format("expected {}, got none", kKeys[i]));
      }
    }
  }

  /// `key` is a position in `kKeys`.
  void ReadCost(std::size_t key, Piece value, GraphNode& node) {
    switch (key) {
      case 0:
        node.forward = Milliseconds(value);
        break;
      case 1:
        node.backward = Milliseconds(value);
        break;
      case 2:
        node.output_bytes = Bytes(value);
        break;
      default:
        node.parameter_bytes = Bytes(value);
    }
  }

  /// As nanoseconds, to the nearest; 0 with a fault.
  Nanoseconds Milliseconds(Piece value) {
    constexpr double kNanosecondsPerMillisecond = 1e6;
    constexpr double kMost = std::chrono::duration<double, std::milli>(kMaxDuration).count();
    const std::optional<double> number = ParseNumber(value.text);
    if (!number || *number < 0 || *number > kMost) {
      Fault(value.column, fmt::format("expected milliseconds from 0 to {:.0f}", kMost));
      return Nanoseconds{0};
    }
    return Nanoseconds{std::llround(*number * kNanosecondsPerMillisecond)};
  }

  /// A number, or the sum of a list `[a; b; c]`.
  std::int64_t Bytes(Piece value) {
    if (value.text.size() >= 2 && value.text.front() == '[' && value.text.back() == ']') {
      // A layer with several outputs has a list.
      value = {value.text.substr(1, value.text.size() - 2), value.column + 1};
    }

    std::int64_t sum = 0;
    do {
      const Piece item = TakePiece(value, "; ");
      const std::optional<double> number = ParseNumber(item.text);
      if (!number || *number < 0 || *number > static_cast<double>(kMaxBytes - sum) ||
          *number != std::floor(*number)) {
        Fault(item.column, fmt::format("expected whole bytes, from 0 to {} in all, or a list "
                                       "`[a; b]` of them",
                                       kMaxBytes));
        return 0;
      }
      sum += static_cast<std::int64_t>(*number);
    } while (!value.text.empty());
    return sum;
  }

  /// Looks up both ids; a fault points into the line of the edge.
  void Connect(const Edge& edge) {
    line_ = edge.line;
    number_ = edge.number;
    const auto from = index_.find(std::string(edge.from.text));
    const auto to = index_.find(std::string(edge.to.text));
    if (from == index_.end() || to == index_.end()) {
      const Piece& unknown = from == index_.end() ? edge.from : edge.to;
      Fault(unknown.column, "expected the id of a node, got one that no node has");
      return;
    }
    graph_[to->second].inputs.push_back(from->second);
  }

  void SortInputs() {
    for (GraphNode& node : graph_) {
      std::sort(node.inputs.begin(), node.inputs.end());
      node.inputs.erase(std::unique(node.inputs.begin(), node.inputs.end()), node.inputs.end());
    }
  }

  std::string_view rest_;  ///< What has not been read.
  std::string_view file_;
  std::string_view line_;
  std::int64_t number_ = 0;  ///< Number of `line_`, from 1.
  LayerGraph graph_;
  std::unordered_map<std::string, std::size_t> index_;  ///< By id.
  std::vector<Edge> edges_;                             ///< Edges that are not connected yet.
  FaultList faults_;
};

}  // namespace

Result<LayerGraph> ReadGraph(std::string_view text, std::string_view file) {
  return GraphReader(text, file).Read();
}

}  // namespace stagecraft
