#include "engine/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/visible_text.h"
#include "traces/json_text.h"

namespace stagecraft {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeader = 100'000'000;  // The format's own limit.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 50;
constexpr const char* kMetadata = "__metadata__";

struct TypeName {
  ElementType type;
  std::string_view name;
};
constexpr std::array<TypeName, 4> kTypes{{{ElementType::kFloat32, "F32"},
                                          {ElementType::kFloat64, "F64"},
                                          {ElementType::kInt64, "I64"},
                                          {ElementType::kUint8, "U8"}}};

std::string_view NameOf(ElementType type) {
  return std::find_if(kTypes.begin(), kTypes.end(),
                      [&](const TypeName& each) { return each.type == type; })
      ->name;
}

/// Thrown and caught in this file: the first fault ends the reading.
struct Fault {
  std::string message;
};

/// A name or value of the header, for a message.
std::string Shown(std::string_view text) {
  constexpr std::size_t kShown = 100;
  return Visible(text, kShown);
}

/// A tensor of the header: where its bytes are.
struct Entry {
  std::string name;
  HostTensor tensor;
  std::uint64_t begin = 0, end = 0;
};

ElementType TypeOf(const Json& entry, const std::string& name) {
  const auto found = entry.find("dtype");
  if (found != entry.end() && found->is_string()) {
    for (const TypeName& each : kTypes) {
      if (each.name == found->get_ref<const std::string&>()) {
        return each.type;
      }
    }
  }
  throw Fault{fmt::format("tensor '{}': expected a dtype F32, F64, I64 or U8, got {}", Shown(name),
                          found == entry.end() ? "none" : Shown(found->dump()))};
}

TensorShape ShapeOf(const Json& entry, const std::string& name) {
  const auto found = entry.find("shape");
  if (found == entry.end() || !found->is_array()) {
    throw Fault{
        fmt::format("tensor '{}': expected a shape, an array of whole numbers", Shown(name))};
  }
  TensorShape shape;
  std::int64_t elements = 1;
  for (const Json& extent : *found) {
    if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > std::uint64_t{kMaxElements}) {
      throw Fault{fmt::format("tensor '{}': expected whole numbers as shape, got {}", Shown(name),
                              Shown(extent.dump()))};
    }
    shape.push_back(extent.get<std::int64_t>());
    if (shape.back() > 0 && elements > kMaxElements / shape.back()) {
      throw Fault{fmt::format("tensor '{}': its shape {} is larger than any file", Shown(name),
                              Shown(found->dump()))};
    }
    elements *= shape.back();
  }
  return shape;
}

Entry ReadEntry(const std::string& name, const Json& json) {
  if (!json.is_object()) {
    throw Fault{
        fmt::format("tensor '{}': expected an object, got {}", Shown(name), Shown(json.dump()))};
  }
  for (const auto& [key, value] : json.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      throw Fault{
          fmt::format("tensor '{}': unknown key '{}'; expected dtype, shape and "
                      "data_offsets",
                      Shown(name), Shown(key))};
    }
  }
  Entry entry{name, {TypeOf(json, name), ShapeOf(json, name), {}}};
  const auto offsets = json.find("data_offsets");
  const auto is_offset = [](const Json& value) { return value.is_number_unsigned(); };
  if (offsets == json.end() || !offsets->is_array() || offsets->size() != 2 ||
      !std::all_of(offsets->begin(), offsets->end(), is_offset)) {
    throw Fault{fmt::format("tensor '{}': expected data_offsets [begin, end]", Shown(name))};
  }
  entry.begin = (*offsets)[0].get<std::uint64_t>();
  entry.end = (*offsets)[1].get<std::uint64_t>();
  const auto size =
      static_cast<std::uint64_t>(Elements(entry.tensor.shape) * BytesOf(entry.tensor.type));
  if (entry.end < entry.begin || entry.end - entry.begin != size) {
    throw Fault{
        fmt::format("tensor '{}': expected data_offsets {} bytes apart, as dtype and shape "
                    "say, got {}",
                    Shown(name), size, Shown(offsets->dump()))};
  }
  return entry;
}

void ReadMetadata(const Json& json, std::map<std::string, std::string>& metadata) {
  if (!json.is_object()) {
    throw Fault{"__metadata__: expected an object of texts"};
  }
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      throw Fault{fmt::format("__metadata__: expected a text as '{}', got {}", Shown(key),
                              Shown(value.dump()))};
    }
    metadata[key] = value.get<std::string>();
  }
}

/// The tensors must follow each other from the first byte to the last.
void CopyTensors(std::vector<Entry> entries, std::string_view data, Safetensors& content) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t next = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != next) {
      throw Fault{
          fmt::format("tensor '{}': expected it to begin at {}, behind the one before, got "
                      "{}",
                      Shown(entry.name), next, entry.begin)};
    }
    next = entry.end;
  }
  if (next != data.size()) {
    throw Fault{
        fmt::format("expected {} bytes of tensors, as the header says, got {}", next, data.size())};
  }
  for (Entry& entry : entries) {
    HostTensor tensor = MakeHostTensor(entry.tensor.type, std::move(entry.tensor.shape));
    if (tensor.memory.bytes > 0) {
      std::memcpy(tensor.memory.data, data.data() + entry.begin, tensor.memory.bytes);
    }
    content.tensors.emplace(std::move(entry.name), std::move(tensor));
  }
}

Safetensors ReadHeader(const Json& header, std::string_view data) {
  if (!header.is_object()) {
    throw Fault{"expected an object as header"};
  }
  Safetensors content;
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) {
      ReadMetadata(json, content.metadata);
    } else {
      entries.push_back(ReadEntry(name, json));
    }
  }
  CopyTensors(std::move(entries), data, content);
  return content;
}

/// What the format asks of a header beside that it is JSON; null if nothing is wrong.
const char* FaultOfFrame(std::string_view header) {
  if (!header.starts_with('{')) {
    return "expected a header that begins with '{'";
  }
  const std::size_t end = header.find_last_not_of(" \t\r\n");
  const bool only_blanks = header.substr(end + 1).find_first_not_of(' ') == std::string_view::npos;
  return only_blanks ? nullptr : "expected nothing but blanks behind the '}' of the header";
}

Result<Safetensors> Failed(std::string_view file, std::string message) {
  Diagnostic diagnostic;
  diagnostic.where = file;
  diagnostic.message = std::move(message);
  return {std::nullopt, {std::move(diagnostic)}};
}

}  // namespace

Result<Safetensors> ReadSafetensors(std::string_view bytes, std::string_view file) {
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes) {
    return Failed(file, fmt::format("is no safetensors file: expected at least {} bytes, got {}",
                                    kLengthBytes, bytes.size()));
  }
  std::memcpy(&length, bytes.data(), sizeof length);  // Little-endian, as this machine is.
  if (length > kMaxHeader || length > bytes.size() - kLengthBytes) {
    return Failed(file, fmt::format("is no safetensors file: its header would be {} bytes long, "
                                    "the rest of the file is {}",
                                    length, bytes.size() - kLengthBytes));
  }
  const std::string_view header = bytes.substr(kLengthBytes, length);
  if (const char* const fault = FaultOfFrame(header)) {
    return Failed(file, fault);
  }
  Result<Json> json =
      ReadJson(header, fmt::format("{} (header)", file), {.bytes = kMaxHeader, .depth = 4});
  if (!json) {
    return {std::nullopt, std::move(json.diagnostics)};
  }
  try {
    return {ReadHeader(*json.value, bytes.substr(kLengthBytes + length)), {}};
  } catch (const Fault& fault) {
    return Failed(file, fault.message);
  }
}

std::string WriteSafetensors(const Safetensors& content) {
  std::vector<std::pair<std::string_view, const HostTensor*>> order;
  for (const auto& [name, tensor] : content.tensors) {
    order.emplace_back(name, &tensor);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return BytesOf(a.second->type) > BytesOf(b.second->type);
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!content.metadata.empty()) {
    header[kMetadata] = content.metadata;
  }
  std::size_t size = 0;
  for (const auto& [name, tensor] : order) {
    header[std::string(name)] = {{"dtype", NameOf(tensor->type)},
                                 {"shape", tensor->shape},
                                 {"data_offsets", {size, size + tensor->memory.bytes}}};
    size += tensor->memory.bytes;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');
  const auto length = static_cast<std::uint64_t>(text.size());
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes.reserve(bytes.size() + text.size() + size);
  bytes += text;
  for (const auto& [name, tensor] : order) {
    bytes.append(reinterpret_cast<const char*>(tensor->memory.data), tensor->memory.bytes);
  }
  return bytes;
}

}  // namespace stagecraft
