#include "engine/snapshot.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/hash.h"
#include "schedules/diagnostic.h"
#include "schedules/names.h"

namespace stagecraft {
namespace {

constexpr const char* kPosition = "position";
constexpr const char* kDrained = "drained";
constexpr const char* kEpoch = "microbatches_per_epoch";
constexpr const char* kWeightsHash = "weights_hash";
constexpr std::string_view kExtension = ".safetensors";

std::string StagePrefix(std::int32_t stage) {
  return fmt::format("stage{}.", stage);
}

std::string UpdatesKey(std::int32_t stage) {
  return StagePrefix(stage) + "updates";
}

constexpr std::string_view kOlder = "version-";

std::string OlderKey(std::int32_t stage, std::int32_t back) {
  return fmt::format("{}{}{}", StagePrefix(stage), kOlder, back);
}

bool IsOlder(const std::string& name) {
  return name.find(kOlder) != std::string::npos;
}

std::string Hash(std::string_view bytes) {
  return fmt::format("{:016x}", HashOf(bytes));
}

/// Where a tensor is.
struct Place {
  WeightMemory* memory = nullptr;
  std::byte* data = nullptr;
};

HostTensor Copied(ElementType type, const TensorShape& shape, const Place& from) {
  HostTensor tensor = MakeHostTensor(type, shape);
  from.memory->CopyOut({tensor.memory.data, tensor.memory.bytes}, from.data);
  return tensor;
}

std::string ShapeText(const TensorShape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

void CopyOut(const Safetensors& from, const std::string& name, const HostTensor& expected,
             const Place& to) {
  const auto found = from.tensors.find(name);
  if (found == from.tensors.end()) {
    throw Error(fmt::format(
        "the checkpoint has no '{}'; expected one of the same model and optimizer", name));
  }

  const HostTensor& tensor = found->second;
  if (tensor.type != expected.type) {
    throw Error(
        fmt::format("'{}' in the checkpoint has elements of {}, the model of {}; expected the "
                    "`type` that it was saved with",
                    name, ToString(tensor.type), ToString(expected.type)));
  }
  if (tensor.shape != expected.shape) {
    throw Error(fmt::format("'{}' in the checkpoint has the shape {}; expected {}", name,
                            ShapeText(tensor.shape), ShapeText(expected.shape)));
  }

  to.memory->CopyIn(to.data, {tensor.memory.data, tensor.memory.bytes});
}

/// Calls `visit(name, type and shape, place in memory)` for each tensor of the weights' file.
template <typename Visit>
void ForEachWeight(const StageMemory& memory, std::int32_t slot, const Visit& visit) {
  const std::int64_t size = BytesOf(memory.type);
  for (const PlacedParameter& parameter : memory.layout->parameters) {
    visit(parameter.name, HostTensor{memory.type, parameter.shape, {}},
          Place{&memory.weights->Memory(), memory.weights->Slot(slot) + parameter.offset * size});
  }
  for (const PlacedParameter& buffer : memory.layout->buffers) {
    visit(buffer.name, HostTensor{memory.type, buffer.shape, {}},
          Place{&memory.weights->Memory(), memory.statistics + buffer.offset * size});
  }
}

/// The same for the optimizer's buffers.
template <typename Visit>
void ForEachState(const StageMemory& memory, const Visit& visit) {
  for (const StateBuffer& buffer : memory.weights->State()) {
    visit(StagePrefix(memory.stage) + buffer.name,
          HostTensor{memory.type, {memory.weights->Elements()}, {}},
          Place{&memory.weights->Memory(), buffer.data});
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

std::int64_t PositionOf(const Snapshot& snapshot) {
  return snapshot.state ? NumberOf(*snapshot.state, kPosition) : 0;
}

std::int64_t UpdatesOf(const Snapshot& snapshot, std::int32_t stage) {
  return snapshot.state ? NumberOf(*snapshot.state, UpdatesKey(stage)) : 0;
}

bool WasDrained(const Snapshot& snapshot) {
  return !snapshot.state || NumberOf(*snapshot.state, kDrained) != 0;
}

void SetPosition(Snapshot& snapshot, std::int64_t position, bool drained) {
  snapshot.state->metadata[kPosition] = std::to_string(position);
  snapshot.state->metadata[kDrained] = drained ? "1" : "0";
}

void SetEpoch(Snapshot& snapshot, std::int64_t microbatches) {
  snapshot.state->metadata[kEpoch] = std::to_string(microbatches);
}

bool FitPosition(Snapshot& snapshot, std::int64_t microbatches) {
  if (!snapshot.state || !snapshot.state->metadata.contains(kEpoch)) {
    return true;
  }
  const std::int64_t before = NumberOf(*snapshot.state, kEpoch);
  const std::int64_t position = PositionOf(snapshot);
  if (before < 1 || before == microbatches) {
    return true;
  }
  if (position % before != 0) {
    return false;
  }
  SetPosition(snapshot, position / before * microbatches, WasDrained(snapshot));
  return true;
}

bool HasState(const Snapshot& snapshot, std::int32_t stage, const std::string& buffer) {
  return snapshot.state && snapshot.state->tensors.contains(StagePrefix(stage) + buffer);
}

bool HasOlder(const Snapshot& snapshot, std::int32_t stage, std::int32_t back) {
  return snapshot.state && snapshot.state->tensors.contains(OlderKey(stage, back));
}

void AddZeros(Snapshot& snapshot, std::int32_t stage, const std::string& buffer,
              const HostTensor& like) {
  HostTensor zeros = MakeHostTensor(like.type, like.shape);
  std::fill_n(zeros.memory.data, zeros.memory.bytes, std::byte{0});
  snapshot.state->tensors[StagePrefix(stage) + buffer] = std::move(zeros);
}

void SaveStage(const StageMemory& memory, Snapshot& snapshot) {
  ForEachWeight(memory, memory.weights->NewestSlot(),
                [&](const std::string& name, const HostTensor& tensor, const Place& place) {
                  snapshot.weights.tensors[name] = Copied(tensor.type, tensor.shape, place);
                });
  if (!snapshot.state) {
    snapshot.state.emplace();
  }
  ForEachState(memory, [&](const std::string& name, const HostTensor& tensor, const Place& place) {
    snapshot.state->tensors[name] = Copied(tensor.type, tensor.shape, place);
  });
  snapshot.state->metadata[UpdatesKey(memory.stage)] = std::to_string(memory.weights->Updates());
}

void LoadStage(const Snapshot& snapshot, const StageMemory& memory) {
  ForEachWeight(memory, memory.weights->NewestSlot(),
                [&](const std::string& name, const HostTensor& tensor, const Place& place) {
                  CopyOut(snapshot.weights, name, tensor, place);
                });
  if (snapshot.state) {
    ForEachState(memory,
                 [&](const std::string& name, const HostTensor& tensor, const Place& place) {
                   CopyOut(*snapshot.state, name, tensor, place);
                 });
    memory.weights->SetUpdates(UpdatesOf(snapshot, memory.stage));
  }
}

void SaveOlder(const StageMemory& memory, LiveWeights::Older older, Snapshot& snapshot) {
  snapshot.state->tensors[OlderKey(memory.stage, older.back)] =
      Copied(memory.type, {memory.weights->Elements()},
             {&memory.weights->Memory(), memory.weights->Slot(older.slot)});
}

void LoadOlder(const Snapshot& snapshot, const StageMemory& memory, LiveWeights::Older older) {
  if (!snapshot.state) {
    throw Error("the weights have no state beside them; expected one with the versions before");
  }
  CopyOut(*snapshot.state, OlderKey(memory.stage, older.back),
          HostTensor{memory.type, {memory.weights->Elements()}, {}},
          {&memory.weights->Memory(), memory.weights->Slot(older.slot)});
  memory.weights->Note(older.slot, {-older.back, 0});
}

bool HasOlder(const Snapshot& snapshot) {
  return snapshot.state &&
         std::any_of(snapshot.state->tensors.begin(), snapshot.state->tensors.end(),
                     [](const auto& tensor) { return IsOlder(tensor.first); });
}

Snapshot Join(std::vector<Snapshot> parts) {
  Snapshot joined;
  joined.state.emplace();

  std::int64_t position = PositionOf(parts.front());
  bool drained = true;
  for (Snapshot& part : parts) {
    position = std::min(position, PositionOf(part));
    drained = drained && WasDrained(part);
    joined.weights.tensors.merge(part.weights.tensors);
    joined.state->tensors.merge(part.state->tensors);
    joined.state->metadata.merge(part.state->metadata);
  }

  // Some ranks were done and some were not: their versions of some updates ago do not belong
  // together.
  if (!drained) {
    std::erase_if(joined.state->tensors, [](const auto& tensor) { return IsOlder(tensor.first); });
  }
  SetPosition(joined, position, drained);
  return joined;
}

SnapshotFiles ToFiles(const Snapshot& snapshot) {
  SnapshotFiles files{WriteSafetensors(snapshot.weights), std::nullopt};
  if (snapshot.state) {
    Safetensors state = *snapshot.state;
    state.metadata[kWeightsHash] = Hash(files.weights);
    files.state = WriteSafetensors(state);
  }
  return files;
}

Result<Snapshot> FromFiles(const SnapshotFiles& files, const std::string& weights_file) {
  Result<Safetensors> weights = ReadSafetensors(files.weights, weights_file);
  if (!weights) {
    return {std::nullopt, std::move(weights.diagnostics)};
  }

  // The state lies in a file of its own, which names the weights that it belongs to.
  Snapshot snapshot{*std::move(weights.value), std::nullopt};
  if (files.state) {
    const std::string state_file = StateFileOf(weights_file);
    Result<Safetensors> state = ReadSafetensors(*files.state, state_file);
    if (!state) {
      return {std::nullopt, std::move(state.diagnostics)};
    }

    const auto hash = state.value->metadata.find(kWeightsHash);
    if (hash == state.value->metadata.end() || hash->second != Hash(files.weights)) {
      return {std::nullopt,
              {ErrorAt(state_file, fmt::format("is not the state of {}; expected the two files of "
                                               "one save (remove the state to start from the "
                                               "weights alone)",
                                               weights_file))}};
    }
    snapshot.state = *std::move(state.value);
  }

  return {std::move(snapshot), {}};
}

std::string StateFileOf(const std::string& weights_file) {
  std::string stem = weights_file;
  if (stem.ends_with(kExtension)) {
    stem.resize(stem.size() - kExtension.size());
  }
  return stem + ".state" + std::string(kExtension);
}

}  // namespace stagecraft
