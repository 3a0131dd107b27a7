#include "engine/recut.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/diagnostic.h"
#include "schedules/names.h"
#include "schedules/tables.h"
#include "schedules/visible_text.h"

namespace stagecraft {
namespace {

/// Thrown and caught in this file.
struct Fault {
  std::string message;
};

/// `stage<stage>.<layer>` in names; layers count within their stage.
struct LayerName {
  std::int32_t stage = 0;
  std::int32_t layer = 0;

  friend auto operator<=>(const LayerName&, const LayerName&) = default;
};

/// One layer that has weights: their shapes by the rest of their names.
struct CutLayer {
  LayerName name;
  std::map<std::string, TensorShape> tensors;
  std::int64_t elements = 0;  ///< In the flat buffers of its stage, gaps included; of a model only.
};
using Cut = std::vector<CutLayer>;

/// Takes a whole number and the dot behind it off the front of `text`.
std::optional<std::int32_t> TakeNumber(std::string_view& text) {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != '.') {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

/// `stage3.rest`: 3, and leaves `rest` in `text`.
std::optional<std::int32_t> TakeStage(std::string_view& text) {
  constexpr std::string_view kStage = "stage";
  if (!text.starts_with(kStage)) {
    return std::nullopt;
  }
  text.remove_prefix(kStage.size());
  return TakeNumber(text);
}

std::string Name(const LayerName& layer, const std::string& rest) {
  return fmt::format("stage{}.{}.{}", layer.stage, layer.layer, rest);
}

void Add(const std::string& name, const TensorShape& shape, std::map<LayerName, CutLayer>& layers) {
  std::string_view rest = name;
  const std::optional<std::int32_t> stage = TakeStage(rest);
  const std::optional<std::int32_t> layer = stage ? TakeNumber(rest) : std::nullopt;
  if (!layer) {
    throw Fault{
        fmt::format("has a tensor '{}'; expected names such as 'stage0.1.weight'", Visible(name))};
  }
  CutLayer& found = layers[{*stage, *layer}];
  found.name = {*stage, *layer};
  found.tensors[std::string(rest)] = shape;
}

Cut InOrder(std::map<LayerName, CutLayer>&& layers) {
  Cut cut;
  for (auto& [name, layer] : layers) {
    cut.push_back(std::move(layer));
  }
  return cut;
}

Cut CutOf(const Safetensors& weights) {
  std::map<LayerName, CutLayer> layers;
  for (const auto& [name, tensor] : weights.tensors) {
    Add(name, tensor.shape, layers);
  }
  return InOrder(std::move(layers));
}

Cut CutOf(const Model& model) {
  std::map<LayerName, CutLayer> layers;
  for (std::int32_t stage = 0; stage < model.stages.Count(); ++stage) {
    const StageLayout layout = LayoutOf(model, stage);
    for (const std::vector<PlacedParameter>* placed : {&layout.parameters, &layout.buffers}) {
      for (const PlacedParameter& each : *placed) {
        Add(each.name, each.shape, layers);
      }
    }
  }

  // A layer by itself takes as much room as in its stage.
  for (auto& [name, layer] : layers) {
    const Model alone{"", {{model.stages[name.stage].at(static_cast<std::size_t>(name.layer))}}};
    layer.elements = LayoutOf(alone, 0).elements;
  }
  return InOrder(std::move(layers));
}

/// `2 stages (2 and 1 layers with weights)`.
std::string ToText(const Cut& cut, std::int32_t stages) {
  Table<std::int32_t> layers(stages);
  for (const CutLayer& layer : cut) {
    ++layers[layer.name.stage];
  }
  return fmt::format("{} stage{} ({} layers with weights)", stages, stages == 1 ? "" : "s",
                     fmt::join(layers, " + "));
}

std::string ToText(const CutLayer& layer) {
  std::vector<std::string> tensors;
  for (const auto& [name, shape] : layer.tensors) {
    tensors.push_back(fmt::format("{} [{}]", Visible(name), fmt::join(shape, ", ")));
  }
  return fmt::format("{}", fmt::join(tensors, ", "));
}

/// Stages of a snapshot: those whose updates its state counts, else those that have weights.
std::int32_t StagesOf(const Snapshot& snapshot, const Cut& cut) {
  std::int32_t stages = cut.empty() ? 0 : cut.back().name.stage + 1;
  if (snapshot.state) {
    for (const auto& [key, text] : snapshot.state->metadata) {
      std::string_view rest = key;
      if (const std::optional<std::int32_t> stage = TakeStage(rest); stage && rest == "updates") {
        stages = std::max(stages, *stage + 1);
      }
    }
  }
  return stages;
}

/// The flat buffers of a snapshot's stages, by what they are and by stage.
using Buffers = std::map<std::string, std::map<std::int32_t, HostTensor>>;

Buffers TakeBuffers(Safetensors& state) {
  Buffers buffers;
  for (auto& [name, tensor] : state.tensors) {
    std::string_view rest = name;
    if (const std::optional<std::int32_t> stage = TakeStage(rest)) {
      buffers[std::string(rest)].emplace(*stage, std::move(tensor));
    }
  }
  state.tensors.clear();
  return buffers;
}

class Recutter {
 public:
  Recutter(Snapshot snapshot, const Model& model, ElementType type)
      : snapshot_(std::move(snapshot)),
        from_(CutOf(snapshot_.weights)),
        to_(CutOf(model)),
        from_stages_(StagesOf(snapshot_, from_)),
        to_stages_(model.stages.Count()),
        type_(type) {}

  /// Throws `Fault`.
  Snapshot Run(const std::string& model) {
    CheckLayers(model);
    if (IsCutAlike()) {
      return std::move(snapshot_);
    }
    MoveWeights();
    if (snapshot_.state) {
      for (auto& [name, by_stage] : TakeBuffers(*snapshot_.state)) {
        MoveBuffer(name, by_stage);
      }
      MoveUpdates();
    }
    return std::move(snapshot_);
  }

  /// What could not be taken over.
  std::vector<std::string> TakeLost() { return std::move(lost_); }

 private:
  void CheckLayers(const std::string& model) const {
    const auto differs = [](const CutLayer& a, const CutLayer& b) {
      return a.tensors != b.tensors;
    };
    const auto fault = [&](const std::string& detail) {
      return Fault{fmt::format("is of other layers than the model{}: it has {}, the model {}; {}",
                               model.empty() ? "" : " " + Visible(model),
                               ToText(from_, from_stages_), ToText(to_, to_stages_), detail)};
    };

    // A model that is cut elsewhere has as many layers, with the same tensors, one by one.
    if (from_.size() != to_.size()) {
      throw fault(fmt::format("expected {} layers, got {}", to_.size(), from_.size()));
    }
    for (std::size_t i = 0; i < to_.size(); ++i) {
      if (differs(from_[i], to_[i])) {
        throw fault(fmt::format("expected {} as layer {} of those, got {}", ToText(to_[i]), i,
                                ToText(from_[i])));
      }
    }

    // Elements are not converted.
    for (const auto& [name, tensor] : snapshot_.weights.tensors) {
      if (tensor.type != type_) {
        throw Fault{
            fmt::format("'{}' has elements of {}, the model of {}; expected the `type` that it "
                        "was saved with",
                        name, ToString(tensor.type), ToString(type_))};
      }
    }
  }

  bool IsCutAlike() const {
    return from_stages_ == to_stages_ &&
           std::equal(from_.begin(), from_.end(), to_.begin(),
                      [](const CutLayer& a, const CutLayer& b) { return a.name == b.name; });
  }

  void MoveWeights() {
    std::map<std::string, HostTensor> moved;
    for (std::size_t i = 0; i < from_.size(); ++i) {
      for (const auto& [rest, shape] : from_[i].tensors) {
        moved[Name(to_[i].name, rest)] =
            std::move(snapshot_.weights.tensors.at(Name(from_[i].name, rest)));
      }
    }
    snapshot_.weights.tensors = std::move(moved);
  }

  /// Where each layer is in the flat buffer of its stage: its first element.
  std::vector<std::int64_t> Offsets(const Cut& cut, std::int32_t stages) const {
    Table<std::int64_t> filled(stages);
    std::vector<std::int64_t> offsets;
    for (std::size_t i = 0; i < cut.size(); ++i) {
      std::int64_t& of_stage = filled[cut[i].name.stage];
      offsets.push_back(of_stage);
      of_stage += to_[i].elements;
    }
    return offsets;
  }

  std::int64_t ElementsOf(const Cut& cut, std::int32_t stage) const {
    std::int64_t elements = 0;
    for (std::size_t i = 0; i < cut.size(); ++i) {
      elements += cut[i].name.stage == stage ? to_[i].elements : 0;
    }
    return elements;
  }

  void MoveBuffer(const std::string& name, const std::map<std::int32_t, HostTensor>& by_stage) {
    for (const auto& [stage, tensor] : by_stage) {
      const TensorShape expected{ElementsOf(from_, stage)};
      if (tensor.shape != expected || tensor.type != type_) {
        throw Fault{
            fmt::format("its state has [{}] elements as 'stage{}.{}'; expected [{}], as "
                        "the weights of that stage",
                        fmt::join(tensor.shape, ", "), stage, name, expected.front())};
      }
    }

    const bool is_older = name.starts_with("version-");
    if (is_older && MissesALayer(by_stage)) {
      lost_.push_back(
          fmt::format("weights of some updates ago ({}) were kept for some of its "
                      "stages only: training goes on with the newest",
                      name));
      return;
    }

    for (std::int32_t stage = 0; stage < to_stages_; ++stage) {
      FillBuffer(name, by_stage, stage);
    }
  }

  bool MissesALayer(const std::map<std::int32_t, HostTensor>& by_stage) const {
    return std::any_of(from_.begin(), from_.end(),
                       [&](const CutLayer& layer) { return !by_stage.contains(layer.name.stage); });
  }

  /// Makes the buffer of one new stage, if any of its layers comes from a stage that had one.
  void FillBuffer(const std::string& name, const std::map<std::int32_t, HostTensor>& by_stage,
                  std::int32_t stage) {
    const std::vector<std::int64_t> from = Offsets(from_, from_stages_);
    const std::vector<std::int64_t> to = Offsets(to_, to_stages_);
    const std::int64_t size = BytesOf(type_);
    HostTensor buffer = MakeHostTensor(type_, {ElementsOf(to_, stage)});
    std::fill_n(buffer.memory.data, buffer.memory.bytes, std::byte{0});

    bool has_some = ElementsOf(to_, stage) == 0;
    bool lacks_some = false;
    for (std::size_t i = 0; i < to_.size(); ++i) {
      if (to_[i].name.stage != stage) {
        continue;
      }
      const auto found = by_stage.find(from_[i].name.stage);
      if (found == by_stage.end()) {
        lacks_some = true;
        continue;
      }
      has_some = true;
      std::memcpy(buffer.memory.data + to[i] * size, found->second.memory.data + from[i] * size,
                  static_cast<std::size_t>(to_[i].elements * size));
    }

    if (has_some) {
      snapshot_.state->tensors[fmt::format("stage{}.{}", stage, name)] = std::move(buffer);
    }
    if (has_some && lacks_some) {
      lost_.push_back(
          fmt::format("'{}' was not kept for all layers of what is stage {} now: it "
                      "begins with zeros for the others",
                      name, stage));
    }
  }

  void MoveUpdates() {
    Table<std::int64_t> before;
    for (std::int32_t stage = 0; stage < from_stages_; ++stage) {
      before.push_back(UpdatesOf(snapshot_, stage));
      snapshot_.state->metadata.erase(fmt::format("stage{}.updates", stage));
    }

    // A stage without weights has no layer to take a count from.
    const std::int64_t most = *std::max_element(before.begin(), before.end());
    for (std::int32_t stage = 0; stage < to_stages_; ++stage) {
      std::set<std::int64_t> counts;
      for (std::size_t i = 0; i < to_.size(); ++i) {
        if (to_[i].name.stage == stage) {
          counts.insert(before[from_[i].name.stage]);
        }
      }

      // One count is kept per stage: of several the largest, and the run is told of it.
      const std::int64_t count = counts.empty() ? most : *counts.rbegin();
      snapshot_.state->metadata[fmt::format("stage{}.updates", stage)] = std::to_string(count);
      if (counts.size() > 1) {
        lost_.push_back(
            fmt::format("layers of what is stage {} now had made {} updates: from here "
                        "all count {}",
                        stage, fmt::join(counts, " and "), count));
      }
    }
  }

  Snapshot snapshot_;
  Cut from_, to_;
  std::int32_t from_stages_;
  std::int32_t to_stages_;
  ElementType type_;
  std::vector<std::string> lost_;
};

}  // namespace

Result<Snapshot> Recut(Snapshot snapshot, const Model& model, ElementType type,
                       const std::string& file) {
  try {
    Recutter recutter(std::move(snapshot), model, type);
    Result<Snapshot> result{recutter.Run(model.name), {}};
    for (std::string& lost : recutter.TakeLost()) {
      result.diagnostics.push_back(WarningAt(file, std::move(lost)));
    }
    return result;
  } catch (const Fault& fault) {
    return {std::nullopt, {ErrorAt(file, fault.message)}};
  } catch (const Error& error) {
    return {std::nullopt, {ErrorAt(file, error.what())}};
  }
}

}  // namespace stagecraft
