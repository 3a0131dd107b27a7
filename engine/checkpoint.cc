#include "engine/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace stagecraft {
namespace {

constexpr const char* kPosition = "position";
constexpr const char* kDrained = "drained";
constexpr const char* kWeightsHash = "weights_hash";
constexpr std::string_view kExtension = ".safetensors";

std::string StagePrefix(std::int32_t stage) {
  return fmt::format("stage{}.", stage);
}

std::string UpdatesKey(std::int32_t stage) {
  return StagePrefix(stage) + "updates";
}

/// FNV-1a of 64 bits, as 16 hexadecimal digits.
std::string Hash(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  }
  return fmt::format("{:016x}", hash);
}

HostTensor Copied(ElementType type, const TensorShape& shape, const std::byte* data) {
  HostTensor tensor = MakeHostTensor(type, shape);
  if (tensor.memory.bytes > 0) {
    std::memcpy(tensor.memory.data, data, tensor.memory.bytes);
  }
  return tensor;
}

std::string ShapeText(const TensorShape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

void CopyOut(const Safetensors& from, const std::string& name, const HostTensor& expected,
             std::byte* to) {
  const auto found = from.tensors.find(name);
  if (found == from.tensors.end()) {
    throw Error(fmt::format(
        "the checkpoint has no '{}'; expected one of the same model and optimizer", name));
  }
  const HostTensor& tensor = found->second;
  if (tensor.type != expected.type) {
    throw Error(
        fmt::format("'{}' in the checkpoint has other elements than the model; expected "
                    "the --dtype that it was saved with",
                    name));
  }
  if (tensor.shape != expected.shape) {
    throw Error(fmt::format("'{}' in the checkpoint has the shape {}; expected {}", name,
                            ShapeText(tensor.shape), ShapeText(expected.shape)));
  }
  if (tensor.memory.bytes > 0) {
    std::memcpy(to, tensor.memory.data, tensor.memory.bytes);
  }
}

/// Calls `visit(name, type and shape, place in memory)` for each tensor of the weights' file.
template <typename Visit>
void ForEachWeight(const StageMemory& memory, std::int32_t slot, const Visit& visit) {
  const std::int64_t size = BytesOf(memory.type);
  for (const PlacedParameter& parameter : memory.layout->parameters) {
    visit(parameter.name, HostTensor{memory.type, parameter.shape, {}},
          memory.weights->Slot(slot) + parameter.offset * size);
  }
  for (const PlacedParameter& buffer : memory.layout->buffers) {
    visit(buffer.name, HostTensor{memory.type, buffer.shape, {}},
          memory.statistics.data() + buffer.offset * size);
  }
}

/// The same for the optimizer's buffers.
template <typename Visit>
void ForEachState(const StageMemory& memory, const Visit& visit) {
  for (const StateBuffer& buffer : memory.weights->State()) {
    visit(StagePrefix(memory.stage) + buffer.name,
          HostTensor{memory.type, {memory.weights->Elements()}, {}}, buffer.data);
  }
}

std::int64_t NumberOf(const Safetensors& state, const std::string& key) {
  const auto found = state.metadata.find(key);
  std::int64_t number = -1;
  if (found != state.metadata.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      number = -1;
    }
  }
  if (number < 0) {
    throw Error(
        fmt::format("the checkpoint's state does not say '{}'; expected a whole number", key));
  }
  return number;
}

}  // namespace

std::int64_t PositionOf(const Checkpoint& checkpoint) {
  return checkpoint.state ? NumberOf(*checkpoint.state, kPosition) : 0;
}

bool WasDrained(const Checkpoint& checkpoint) {
  return !checkpoint.state || NumberOf(*checkpoint.state, kDrained) != 0;
}

void SetPosition(Checkpoint& checkpoint, std::int64_t position, bool drained) {
  checkpoint.state->metadata[kPosition] = std::to_string(position);
  checkpoint.state->metadata[kDrained] = drained ? "1" : "0";
}

void SaveStage(const StageMemory& memory, Checkpoint& checkpoint) {
  ForEachWeight(memory, memory.weights->NewestSlot(),
                [&](const std::string& name, const HostTensor& tensor, const std::byte* data) {
                  checkpoint.weights.tensors[name] = Copied(tensor.type, tensor.shape, data);
                });
  if (!checkpoint.state) {
    checkpoint.state.emplace();
  }
  ForEachState(memory,
               [&](const std::string& name, const HostTensor& tensor, const std::byte* data) {
                 checkpoint.state->tensors[name] = Copied(tensor.type, tensor.shape, data);
               });
  checkpoint.state->metadata[UpdatesKey(memory.stage)] = std::to_string(memory.weights->Updates());
}

void LoadStage(const Checkpoint& checkpoint, const StageMemory& memory) {
  ForEachWeight(memory, 0, [&](const std::string& name, const HostTensor& tensor, std::byte* data) {
    CopyOut(checkpoint.weights, name, tensor, data);
  });
  if (checkpoint.state) {
    ForEachState(memory, [&](const std::string& name, const HostTensor& tensor, std::byte* data) {
      CopyOut(*checkpoint.state, name, tensor, data);
    });
    memory.weights->SetUpdates(NumberOf(*checkpoint.state, UpdatesKey(memory.stage)));
  }
}

Checkpoint Join(std::vector<Checkpoint> parts) {
  Checkpoint joined;
  joined.state.emplace();
  std::int64_t position = PositionOf(parts.front());
  bool drained = true;
  for (Checkpoint& part : parts) {
    position = std::min(position, PositionOf(part));
    drained = drained && WasDrained(part);
    joined.weights.tensors.merge(part.weights.tensors);
    joined.state->tensors.merge(part.state->tensors);
    joined.state->metadata.merge(part.state->metadata);
  }
  SetPosition(joined, position, drained);
  return joined;
}

CheckpointFiles ToFiles(const Checkpoint& checkpoint) {
  CheckpointFiles files{WriteSafetensors(checkpoint.weights), std::nullopt};
  if (checkpoint.state) {
    Safetensors state = *checkpoint.state;
    state.metadata[kWeightsHash] = Hash(files.weights);
    files.state = WriteSafetensors(state);
  }
  return files;
}

Result<Checkpoint> FromFiles(const CheckpointFiles& files) {
  Result<Safetensors> weights = ReadSafetensors(files.weights);
  if (!weights) {
    return {std::nullopt, std::move(weights.diagnostics)};
  }
  Checkpoint checkpoint{*std::move(weights.value), std::nullopt};
  if (files.state) {
    Result<Safetensors> state = ReadSafetensors(*files.state);
    if (!state) {
      return {std::nullopt, std::move(state.diagnostics)};
    }
    const auto hash = state.value->metadata.find(kWeightsHash);
    if (hash == state.value->metadata.end() || hash->second != Hash(files.weights)) {
      Diagnostic diagnostic;
      diagnostic.message =
          "the state beside the weights is of other weights; expected the two files of one save "
          "(delete the state to start from the weights alone)";
      return {std::nullopt, {std::move(diagnostic)}};
    }
    checkpoint.state = *std::move(state.value);
  }
  return {std::move(checkpoint), {}};
}

std::string StateFileOf(const std::string& weights_file) {
  std::string stem = weights_file;
  if (stem.ends_with(kExtension)) {
    stem.resize(stem.size() - kExtension.size());
  }
  return stem + ".state" + std::string(kExtension);
}

}  // namespace stagecraft
