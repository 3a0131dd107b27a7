#include "traces/profile_json.h"

#include <cstddef>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "traces/profile_fields.h"

namespace stagecraft {
namespace {

/// A JSON string; bytes that are not UTF-8 are replaced.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The fields that are not empty; no `source` if all are.
void AppendSource(std::string& out, const ProfileSource& source) {
  std::string lines;
  for (const SourceField& field : SourceFields()) {
    const std::string& text = source.*field.member;
    if (!text.empty()) {
      lines += fmt::format("{}    \"{}\": {}", lines.empty() ? "" : ",\n", field.key, Quoted(text));
    }
  }
  if (!lines.empty()) {
    out += fmt::format("  \"source\": {{\n{}\n  }},\n", lines);
  }
}

/// `"forward_ns": 12`, or a list where several sizes were measured; nothing if all are missing.
void AppendField(std::string& out, const ProfileLayer& layer, const LayerField& field) {
  const std::size_t sizes = field.sized ? layer.at.size() : 1;
  std::vector<std::string> values;
  bool some = false;
  for (std::size_t size = 0; size < sizes; ++size) {
    const std::optional<std::int64_t> value = field.get(layer, size);
    values.push_back(value ? fmt::format("{}", *value) : "null");
    some = some || value;
  }
  if (some) {
    const std::string list = fmt::format("{}", fmt::join(values, ", "));
    out += fmt::format(", \"{}\": {}", field.key, sizes == 1 ? list : "[" + list + "]");
  }
}

/// One layer, on one line.
void AppendLayer(std::string& out, const ProfileLayer& layer, std::size_t index) {
  out += fmt::format("    {{\"name\": {}", Quoted(layer.name));
  if (layer.inputs != DefaultInputs(index)) {
    out += fmt::format(", \"inputs\": [{}]", fmt::join(layer.inputs, ", "));
  }
  for (const LayerField& field : LayerFields()) {
    AppendField(out, layer, field);
  }
  out += '}';
}

}  // namespace

std::string PrintProfile(const Profile& profile) {
  std::string out = "{\n  \"format\": \"stagecraft-profile\",\n  \"version\": 1,\n";
  AppendSource(out, profile.source);
  out += fmt::format("  \"microbatch_sizes\": [{}],\n  \"{}\": [",
                     fmt::join(profile.microbatch_sizes, ", "),
                     profile.is_stages ? "stages" : "layers");

  for (std::size_t i = 0; i < profile.layers.size(); ++i) {
    out += i == 0 ? "\n" : ",\n";
    AppendLayer(out, profile.layers[i], i);
  }

  out += "\n  ]";
  if (profile.cut) {
    out += fmt::format(",\n  \"cut\": [{}]", fmt::join(*profile.cut, ", "));
  }
  return out + "\n}\n";
}

std::vector<std::string_view> ProfileLayerKeys() {
  std::vector<std::string_view> keys{"name", "inputs"};
  for (const LayerField& field : LayerFields()) {
    keys.push_back(field.key);
  }
  return keys;
}

}  // namespace stagecraft
