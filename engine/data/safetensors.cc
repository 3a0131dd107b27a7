#include "engine/data/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
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

/// Thrown and caught in this file: the first fault ends the reading.
struct Fault {
  std::string message;
};

/// A name or value of the header, for a message.
std::string Shown(std::string_view text) {
  constexpr std::size_t kShown = 100;
  return Visible(text, kShown);
}

/// IEEE's 16 bits: sign, 5 of exponent (bias 15), 10 of fraction.
float FromHalf(std::uint16_t bits) {
  constexpr int kFractionBits = 10;
  constexpr int kBias = 15;
  constexpr int kLargestExponent = 31;
  const int exponent = (bits >> kFractionBits) & kLargestExponent;
  const int fraction = bits & ((1 << kFractionBits) - 1);

  float size = 0;
  if (exponent == kLargestExponent) {
    size = fraction == 0 ? std::numeric_limits<float>::infinity()
                         : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    size = std::ldexp(static_cast<float>(fraction), 1 - kBias - kFractionBits);
  } else {
    size = std::ldexp(static_cast<float>((1 << kFractionBits) + fraction),
                      exponent - kBias - kFractionBits);
  }

  return (bits >> 15) != 0 ? -size : size;
}

/// The upper half of a float.
float FromBrainHalf(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

std::uint8_t FromBool(std::uint8_t byte) {
  if (byte > 1) {
    throw Fault{fmt::format("expected 0 or 1 as BOOL, got {}", byte)};
  }
  return byte;
}

template <typename From, typename To>
To Same(From value) {
  return value;
}

/// Writes what `bytes` mean to `to`, element by element.
template <typename From, typename To, To (*convert)(From)>
void Convert(std::string_view bytes, std::byte* to) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(From); ++i) {
    From from;
    std::memcpy(&from, bytes.data() + i * sizeof from, sizeof from);
    const To converted = convert(from);
    std::memcpy(to + i * sizeof converted, &converted, sizeof converted);
  }
}

/// A type of the format, and what tensors of it become; `convert` is null if that is the same.
struct FileType {
  std::string_view name;
  std::int64_t bytes;
  ElementType becomes;
  void (*convert)(std::string_view bytes, std::byte* to);
};
using enum ElementType;
constexpr std::array<FileType, 12> kTypes{
    {{"F64", 8, kFloat64, nullptr},
     {"F32", 4, kFloat32, nullptr},
     {"F16", 2, kFloat32, Convert<std::uint16_t, float, FromHalf>},
     {"BF16", 2, kFloat32, Convert<std::uint16_t, float, FromBrainHalf>},
     {"I64", 8, kInt64, nullptr},
     {"I32", 4, kInt64, Convert<std::int32_t, std::int64_t, Same>},
     {"I16", 2, kInt64, Convert<std::int16_t, std::int64_t, Same>},
     {"I8", 1, kInt64, Convert<std::int8_t, std::int64_t, Same>},
     {"U32", 4, kInt64, Convert<std::uint32_t, std::int64_t, Same>},
     {"U16", 2, kInt64, Convert<std::uint16_t, std::int64_t, Same>},
     {"U8", 1, kUint8, nullptr},
     {"BOOL", 1, kUint8, Convert<std::uint8_t, std::uint8_t, FromBool>}}};

std::string_view NameOf(ElementType type) {
  return std::find_if(
             kTypes.begin(), kTypes.end(),
             [&](const FileType& each) { return each.becomes == type && each.convert == nullptr; })
      ->name;
}

/// A tensor of the header: where its bytes are.
struct Entry {
  std::string name;
  const FileType* type = nullptr;
  TensorShape shape;
  std::uint64_t begin = 0, end = 0;
};

const FileType* TypeOf(const Json& entry, const std::string& name) {
  const auto found = entry.find("dtype");
  if (found != entry.end() && found->is_string()) {
    for (const FileType& each : kTypes) {
      if (each.name == found->get_ref<const std::string&>()) {
        return &each;
      }
    }
  }

  std::vector<std::string_view> names(kTypes.size());
  std::transform(kTypes.begin(), kTypes.end(), names.begin(),
                 [](const FileType& each) { return each.name; });
  throw Fault{fmt::format("tensor '{}': expected one of the dtypes {}, got {}", Shown(name),
                          fmt::join(names, ", "),
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

    // The check divides, since the product of the extents that a file claims may overflow.
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

  Entry entry{name, TypeOf(json, name), ShapeOf(json, name)};
  const auto offsets = json.find("data_offsets");
  const auto is_offset = [](const Json& value) { return value.is_number_unsigned(); };
  if (offsets == json.end() || !offsets->is_array() || offsets->size() != 2 ||
      !std::all_of(offsets->begin(), offsets->end(), is_offset)) {
    throw Fault{fmt::format("tensor '{}': expected data_offsets [begin, end]", Shown(name))};
  }

  // Type and shape say how long the tensor must be.
  entry.begin = (*offsets)[0].get<std::uint64_t>();
  entry.end = (*offsets)[1].get<std::uint64_t>();
  const auto size = static_cast<std::uint64_t>(Elements(entry.shape) * entry.type->bytes);
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

void CopyElements(const FileType& type, const std::string& name, std::string_view bytes,
                  std::byte* to) {
  if (type.convert == nullptr) {
    if (!bytes.empty()) {
      std::memcpy(to, bytes.data(), bytes.size());
    }
    return;
  }
  try {
    type.convert(bytes, to);
  } catch (const Fault& fault) {
    throw Fault{fmt::format("tensor '{}': {}", Shown(name), fault.message)};
  }
}

/// The tensors must follow each other from the first byte to the last.
void CopyTensors(std::vector<Entry> entries, std::string_view data, Safetensors& content) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });

  // The tensors lie behind each other without gaps, in any order.
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
    HostTensor tensor = MakeHostTensor(entry.type->becomes, std::move(entry.shape));
    CopyElements(*entry.type, entry.name, data.substr(entry.begin, entry.end - entry.begin),
                 tensor.memory.data);
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

  // The largest elements first, so that each tensor is aligned if the file is mapped.
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

  // The header ends at a multiple of 8 bytes, filled up with blanks.
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
