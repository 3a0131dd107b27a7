#include "engine/model/model_file.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/closest.h"
#include "schedules/diagnostic.h"
#include "schedules/fault_list.h"
#include "schedules/visible_text.h"
#include "traces/json_text.h"

namespace stagecraft {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxBytes = std::size_t{1} << 24;
constexpr int kMaxDepth = 4 * kMaxNesting;
constexpr std::size_t kMostFaults = 50;
constexpr std::size_t kShown = 60;  ///< Of a name, in a message.
constexpr const char* kFormat = "stagecraft-model";

class ModelReader {
 public:
  explicit ModelReader(std::string_view file) : file_(file), faults_(file, kMostFaults) {}

  Result<Model> Read(const Json& root) {
    Model model;
    if (CheckFormat(root)) {
      CheckKeys(root, "", {"format", "version", "name", "stages"});
      ReadName(root, model);
      ReadStages(root, model);
    }
    if (!faults_.Empty()) {
      return {std::nullopt, faults_.Take()};
    }
    return {std::move(model), {}};
  }

 private:
  void Fault(const std::string& pointer, const std::string& message) {
    faults_.Add(ErrorAt(std::string(file_), fmt::format("at {}: {}", pointer, message)));
  }

  bool CheckFormat(const Json& root) {
    if (!root.is_object() || root.value("format", Json()) != kFormat ||
        root.value("version", Json()) != 1) {
      faults_.Add(
          ErrorAt(std::string(file_), fmt::format("expected an object with \"format\": \"{}\" and "
                                                  "\"version\": 1",
                                                  kFormat)));
      return false;
    }
    return true;
  }

  void CheckKeys(const Json& object, const std::string& pointer,
                 const std::vector<std::string_view>& known) {
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        Fault(fmt::format("{}/{}", pointer, Visible(key, kShown)),
              fmt::format("unknown key '{}'{}", Visible(key, kShown), DidYouMean(key, known)));
      }
    }
  }

  void ReadName(const Json& root, Model& model) {
    const auto found = root.find("name");
    if (found != root.end() && found->is_string()) {
      model.name = found->get<std::string>();
    } else if (found != root.end()) {
      Fault("/name", "expected a text");
    }
  }

  void ReadStages(const Json& root, Model& model) {
    const auto found = root.find("stages");
    if (found == root.end() || !found->is_array() || found->empty()) {
      Fault("/stages", "expected an array of stages, at least one");
      return;
    }
    for (std::size_t i = 0; i < found->size(); ++i) {
      model.stages.push_back(ReadLayers((*found)[i], fmt::format("/stages/{}", i), 0));
    }
  }

  // NOLINTNEXTLINE(misc-no-recursion): up to kMaxNesting deep.
  std::vector<Layer> ReadLayers(const Json& json, const std::string& pointer, int nesting) {
    std::vector<Layer> layers;
    if (!json.is_array() || json.empty()) {
      Fault(pointer, "expected an array of layers, at least one");
      return layers;
    }
    for (std::size_t i = 0; i < json.size(); ++i) {
      layers.push_back(ReadLayer(json[i], fmt::format("{}/{}", pointer, i), nesting));
    }
    return layers;
  }

  // NOLINTNEXTLINE(misc-no-recursion): up to kMaxNesting deep.
  Layer ReadLayer(const Json& json, const std::string& pointer, int nesting) {
    const bool is_name = json.is_string();
    if (!is_name && !(json.is_object() && json.size() == 1)) {
      Fault(pointer, "expected a layer: its name, or an object {name: {its fields}}");
      return {};
    }

    const std::string name = is_name ? json.get<std::string>() : json.begin().key();
    const LayerTraits* const traits = FindLayer(name, pointer);
    if (traits == nullptr) {
      return {};
    }

    const std::string inside = fmt::format("{}/{}", pointer, name);
    if (traits->kind == LayerKind::kResidual) {
      if (is_name || nesting == kMaxNesting) {
        Fault(pointer, fmt::format("expected {{\"residual\": [layers]}}, up to {} of them inside "
                                   "each other",
                                   kMaxNesting));
        return {};
      }
      return MakeResidual(ReadLayers(json.front(), inside, nesting + 1));
    }

    const Json fields = is_name ? Json::object() : json.front();
    if (!fields.is_object()) {
      Fault(inside, "expected an object with the fields of the layer");
      return {};
    }
    return {traits->kind, ReadFields(*traits, fields, inside), {}};
  }

  const LayerTraits* FindLayer(const std::string& name, const std::string& pointer) {
    std::vector<std::string_view> names;
    for (const LayerTraits& traits : AllLayerTraits()) {
      if (traits.name == name) {
        return &traits;
      }
      names.push_back(traits.name);
    }
    Fault(pointer,
          fmt::format("unknown layer '{}'{}", Visible(name, kShown), DidYouMean(name, names)));
    return nullptr;
  }

  std::vector<double> ReadFields(const LayerTraits& traits, const Json& json,
                                 const std::string& pointer) {
    std::vector<double> values;
    std::vector<std::string_view> known;
    for (const LayerNumber& field : traits.fields) {
      known.push_back(field.name);
      const auto found = json.find(std::string(field.name));
      double value = field.standard;
      if (found == json.end()) {
        if (field.standard == LayerNumber::kRequired) {
          Fault(pointer, fmt::format("expected a '{}'", field.name));
        }
      } else if (!IsOf(field, *found)) {
        Fault(fmt::format("{}/{}", pointer, field.name),
              fmt::format("expected a {}number in [{}, {}], got {}", field.whole ? "whole " : "",
                          field.low, field.high, Visible(found->dump(), kShown)));
      } else {
        value = found->get<double>();
      }

      values.push_back(value);
    }
    CheckKeys(json, pointer, known);
    return values;
  }

  static bool IsOf(const LayerNumber& field, const Json& json) {
    if (!json.is_number()) {
      return false;
    }
    const double value = json.get<double>();
    return value >= field.low && value <= field.high &&
           (!field.whole || value == std::floor(value));
  }

  std::string_view file_;
  FaultList faults_;
};

using Ordered = nlohmann::ordered_json;

// NOLINTNEXTLINE(misc-no-recursion): as deep as residuals nest.
Ordered ToJson(const std::vector<Layer>& layers) {
  Ordered json = Ordered::array();
  for (const Layer& layer : layers) {
    const LayerTraits& traits = TraitsOf(layer.kind);
    const std::string name(traits.name);
    if (layer.kind == LayerKind::kResidual) {
      json.push_back({{name, ToJson(*layer.body)}});
      continue;
    }

    Ordered fields = Ordered::object();
    for (std::size_t i = 0; i < traits.fields.size(); ++i) {
      const double value = layer.values[i];
      if (value != traits.fields[i].standard) {
        const std::string key(traits.fields[i].name);
        fields[key] =
            traits.fields[i].whole ? Ordered(static_cast<std::int64_t>(value)) : Ordered(value);
      }
    }

    json.push_back(fields.empty() ? Ordered(name) : Ordered{{name, std::move(fields)}});
  }
  return json;
}

}  // namespace

Result<Model> ReadModel(std::string_view text, std::string_view file) {
  Result<Json> json = ReadJson(text, file, {.bytes = kMaxBytes, .depth = kMaxDepth});
  if (!json) {
    return {std::nullopt, std::move(json.diagnostics)};
  }
  return ModelReader(file).Read(*json.value);
}

std::string WriteModel(const Model& model) {
  Ordered json = {{"format", kFormat}, {"version", 1}};
  if (!model.name.empty()) {
    json["name"] = model.name;
  }
  json["stages"] = Ordered::array();
  for (const std::vector<Layer>& stage : model.stages) {
    json["stages"].push_back(ToJson(stage));
  }
  return json.dump(1) + "\n";
}

}  // namespace stagecraft
