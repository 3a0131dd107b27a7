#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/closest.h"
#include "schedules/diagnostic.h"
#include "schedules/fault_list.h"
#include "traces/json_text.h"
#include "traces/profile_fields.h"
#include "traces/profile_json.h"

namespace stagecraft {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostFaults = 50;  // The most that are reported.
constexpr std::array<std::string_view, 7> kTopKeys{
    "format", "version", "source", "microbatch_sizes", "layers", "stages", "cut"};

/// A value for a message: short ones as they are, others by their type.
std::string Shown(const Json& value) {
  constexpr std::size_t kLongest = 40;
  if (value.is_structured()) {
    return value.is_array() ? "an array" : "an object";
  }
  if (value.is_string() && value.get_ref<const std::string&>().size() > kLongest) {
    return "a long string";
  }
  return value.dump(-1, ' ', true);
}

/// Turns a JSON tree into a profile, collecting faults by JSON pointer.
class ProfileReader {
 public:
  ProfileReader(const Json& root, std::string_view file)
      : root_(root), file_(file), faults_(file, kMostFaults) {}

  Result<Profile> Read() {
    if (CheckFormat()) {
      CheckKeys(root_, "", kTopKeys);
      ReadSource();
      ReadSizes();
      ReadLayers();
      ReadCut();
      // What concerns several values can only be checked on the whole.
      if (!profile_.microbatch_sizes.empty() && !profile_.layers.empty()) {
        for (const Diagnostic& fault : CheckProfile(profile_)) {
          Fault(fault.where, fault.message);
        }
      }
    }

    Result<Profile> result;
    result.diagnostics = faults_.Take();
    if (result.diagnostics.empty()) {
      result.value = std::move(profile_);
    }
    return result;
  }

 private:
  /// `pointer` says where in the JSON; empty: about the whole text.
  void Fault(std::string_view pointer, std::string_view message) {
    const std::string at = pointer.empty() ? "" : fmt::format("at {}: ", pointer);
    faults_.Add(ErrorAt(std::string(file_), fmt::format("{}{}", at, message)));
  }

  /// False if the rest is not worth reading.
  bool CheckFormat() {
    if (!root_.is_object()) {
      Fault("", fmt::format("expected an object, got {}", Shown(root_)));
      return false;
    }

    // Another kind of file would only give faults without end.
    const auto format = root_.find("format");
    if (format == root_.end() || *format != "stagecraft-profile") {
      Fault(format == root_.end() ? "" : "/format",
            fmt::format("expected \"format\": \"stagecraft-profile\", got {}",
                        format == root_.end() ? "none" : Shown(*format)));
      return false;
    }

    const auto version = root_.find("version");
    if (version == root_.end() || WholeNumber(*version) != 1) {
      Fault(version == root_.end() ? "" : "/version",
            fmt::format("expected \"version\": 1, got {}",
                        version == root_.end() ? "none" : Shown(*version)));
      return false;
    }

    return true;
  }

  /// Reports every key that is not in `known`.
  void CheckKeys(const Json& object, const std::string& pointer,
                 std::span<const std::string_view> known) {
    for (const auto& item : object.items()) {
      if (std::find(known.begin(), known.end(), item.key()) != known.end()) {
        continue;
      }
      const std::string_view meant = Closest(item.key(), known);
      std::string message = fmt::format("unknown key {}", Shown(item.key()));
      message += meant.empty() ? fmt::format("; expected one of {}", fmt::join(known, ", "))
                               : fmt::format("; did you mean \"{}\"?", meant);
      Fault(pointer, message);
    }
  }

  std::string Text(const Json& value, const std::string& pointer) {
    if (!value.is_string()) {
      Fault(pointer, fmt::format("expected a string, got {}", Shown(value)));
      return "";
    }
    return value.get<std::string>();
  }

  void ReadSource() {
    const auto source = root_.find("source");
    if (source == root_.end()) {
      return;
    }
    if (!source->is_object()) {
      Fault("/source", fmt::format("expected an object, got {}", Shown(*source)));
      return;
    }

    // Every field may be missing.
    std::vector<std::string_view> known;
    for (const SourceField& field : SourceFields()) {
      known.push_back(field.key);
      const auto value = source->find(field.key);
      if (value != source->end()) {
        profile_.source.*field.member = Text(*value, fmt::format("/source/{}", field.key));
      }
    }

    CheckKeys(*source, "/source", known);
  }

  /// An integer in [least, most], or a fault and `least`.
  std::int64_t Integer(const Json& value, const std::string& pointer, std::int64_t least,
                       std::int64_t most) {
    const std::optional<std::int64_t> number = WholeNumber(value);
    if (number && *number >= least && *number <= most) {
      return *number;
    }
    Fault(pointer,
          fmt::format("expected an integer from {} to {}, got {}", least, most, Shown(value)));
    return least;
  }

  void ReadSizes() {
    const auto sizes = root_.find("microbatch_sizes");
    if (sizes == root_.end() || !sizes->is_array() || sizes->empty() ||
        sizes->size() > static_cast<std::size_t>(kMaxMeasuredSizes)) {
      Fault("/microbatch_sizes",
            fmt::format("expected an array of 1 to {} sizes in samples, got {}", kMaxMeasuredSizes,
                        sizes == root_.end() ? "none"
                                             : (sizes->is_array() ? fmt::format("{}", sizes->size())
                                                                  : Shown(*sizes))));
      return;
    }

    for (std::size_t i = 0; i < sizes->size(); ++i) {
      profile_.microbatch_sizes.push_back(
          Integer((*sizes)[i], fmt::format("/microbatch_sizes/{}", i), 1, kMaxMicrobatchSize));
    }
  }

  void ReadLayers() {
    if (root_.contains("layers") == root_.contains("stages")) {
      Fault("", fmt::format("expected either \"layers\" or \"stages\", got {}",
                            root_.contains("layers") ? "both" : "neither"));
      return;
    }

    profile_.is_stages = root_.contains("stages");
    const std::string pointer = profile_.is_stages ? "/stages" : "/layers";
    const Json& layers = root_[profile_.is_stages ? "stages" : "layers"];

    // Sizes and layers together are limited, before memory is taken for them.
    const std::size_t sizes = std::max<std::size_t>(profile_.microbatch_sizes.size(), 1);
    const std::size_t most = std::min(static_cast<std::size_t>(kMaxLayers),
                                      static_cast<std::size_t>(kMaxMeasurements) / sizes);
    if (!layers.is_array() || layers.empty() || layers.size() > most) {
      Fault(pointer,
            fmt::format("expected an array of 1 to {} objects, got {}", most,
                        layers.is_array() ? fmt::format("{}", layers.size()) : Shown(layers)));
      return;
    }

    profile_.layers.resize(layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      profile_.layers[i].at.resize(profile_.microbatch_sizes.size());
      ReadLayer(layers[i], i, fmt::format("{}/{}", pointer, i));
    }
  }

  void ReadCut() {
    const auto cut = root_.find("cut");
    // Nobody has cut it, which is not the same as one stage.
    if (cut == root_.end()) {
      return;
    }
    if (!cut->is_array() || cut->size() > static_cast<std::size_t>(kMaxLayers)) {
      Fault("/cut", fmt::format("expected an array of at most {} layer indices, got {}", kMaxLayers,
                                Shown(*cut)));
      return;
    }

    profile_.cut.emplace();
    for (std::size_t i = 0; i < cut->size(); ++i) {
      profile_.cut->push_back(
          static_cast<std::int32_t>(Integer((*cut)[i], fmt::format("/cut/{}", i), 1, kMaxLayers)));
    }
  }

  /// Stands in for values that already have a fault, so that none is reported as missing too.
  static void FillUp(const LayerField& field, ProfileLayer& layer) {
    for (std::size_t size = 0; size < layer.at.size(); ++size) {
      field.set(layer, size, 0);
    }
  }

  void ReadLayer(const Json& object, std::size_t index, const std::string& pointer) {
    if (!object.is_object()) {
      Fault(pointer, fmt::format("expected an object, got {}", Shown(object)));
      for (const LayerField& field : LayerFields()) {
        FillUp(field, profile_.layers[index]);
      }
      return;
    }

    CheckKeys(object, pointer, layer_keys_);
    ProfileLayer& layer = profile_.layers[index];
    const auto name = object.find("name");
    if (name != object.end()) {
      layer.name = Text(*name, pointer + "/name");
    }

    // Inputs first, then all that the table of fields names.
    ReadInputs(object, index, pointer);
    for (const LayerField& field : LayerFields()) {
      const auto value = object.find(field.key);
      if (value != object.end()) {
        ReadField(*value, field, fmt::format("{}/{}", pointer, field.key), layer);
      }
    }
  }

  void ReadInputs(const Json& object, std::size_t index, const std::string& pointer) {
    const auto inputs = object.find("inputs");
    ProfileLayer& layer = profile_.layers[index];
    // Most models are chains.
    if (inputs == object.end()) {
      layer.inputs = DefaultInputs(index);
      return;
    }

    if (!inputs->is_array()) {
      Fault(pointer + "/inputs",
            fmt::format("expected an array of layer indices, got {}", Shown(*inputs)));
      return;
    }

    for (std::size_t i = 0; i < inputs->size(); ++i) {
      layer.inputs.push_back(static_cast<std::int32_t>(
          Integer((*inputs)[i], fmt::format("{}/inputs/{}", pointer, i), 0, kMaxLayers)));
    }
  }

  /// One number, or one per size where several were measured.
  void ReadField(const Json& value, const LayerField& field, const std::string& pointer,
                 ProfileLayer& layer) {
    const std::size_t sizes = field.sized ? layer.at.size() : 1;
    // | (sizes == 1 && !value.is_array())) {|A single number needs no list, where only one size was
    // measured.
    if (!field.sized || (sizes == 1 && !value.is_array())) {
      if (sizes > 0) {
        field.set(layer, 0, Integer(value, pointer, 0, field.limit));
      }
      return;
    }

    if (!value.is_array() || value.size() != sizes) {
      Fault(pointer,
            fmt::format("expected an array of one number per micro-batch size, {}, got {}", sizes,
                        value.is_array() ? fmt::format("{}", value.size()) : Shown(value)));
      FillUp(field, layer);
      return;
    }

    for (std::size_t size = 0; size < sizes; ++size) {
      if (!value[size].is_null()) {
        field.set(layer, size,
                  Integer(value[size], fmt::format("{}/{}", pointer, size), 0, field.limit));
      }
    }
  }

  const Json& root_;
  std::string_view file_;
  Profile profile_;
  const std::vector<std::string_view> layer_keys_ = ProfileLayerKeys();
  FaultList faults_;
};

}  // namespace

Result<Profile> ParseProfile(std::string_view json, std::string_view file) {
  Result<Json> root = ReadJson(json, file, {kMaxProfileBytes, kMaxProfileDepth});
  if (!root) {
    Result<Profile> failed;
    failed.diagnostics = std::move(root.diagnostics);
    return failed;
  }
  return ProfileReader(*root.value, file).Read();
}

}  // namespace stagecraft
