#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "traces/layer_profile.h"

namespace stagecraft {

/// One measured number of a layer, as it stands in the file.
struct LayerField {
  std::string_view key;  ///< `forward_ns`, `output_bytes`, ...
  std::int64_t limit;    ///< Values are in [0, limit].
  bool sized;            ///< One value per micro-batch size; else `size` below is ignored.
  std::optional<std::int64_t> (*get)(const ProfileLayer& layer, std::size_t size);
  void (*set)(ProfileLayer& layer, std::size_t size, std::int64_t value);
};

/// All fields, in canonical order: the one table that reading, printing and checking ask.
std::span<const LayerField> LayerFields();

/// One text field of the source.
struct SourceField {
  std::string_view key;
  std::string ProfileSource::*member;
};
/// The same for the source.
std::span<const SourceField> SourceFields();

/// The inputs of a layer for which the file gives none: the layer before it.
std::vector<std::int32_t> DefaultInputs(std::size_t layer);

}  // namespace stagecraft
