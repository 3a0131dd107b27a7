#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/model/host_tensor.h"
#include "schedules/diagnostic.h"

namespace stagecraft {

/// Tensors by name, and text beside them: a file in the format of that name
/// (https://github.com/huggingface/safetensors).
///
///   8 bytes            length of the header, little-endian
///   header             {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...,
///                      "__metadata__": {"key": "text", ...}}, padded with spaces
///   tensors            back to back, without holes; offsets count from here
struct Safetensors {
  std::map<std::string, HostTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Strict: whatever the text of the header or its numbers leave open is a fault. F64, F32, I64 and
/// U8 stay what they are; F16 and BF16 become kFloat32, I32, I16, I8, U32 and U16 kInt64, BOOL
/// kUint8 of 0 and 1: all with the same values. `file` is what diagnostics call it. O(bytes).
Result<Safetensors> ReadSafetensors(std::string_view bytes, std::string_view file);

/// Writes the one text that such a content has: wide elements first, then by name; headers end at a
/// multiple of 8.
std::string WriteSafetensors(const Safetensors& content);

}  // namespace stagecraft
