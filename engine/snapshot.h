#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/safetensors.h"
#include "engine/model/model.h"
#include "engine/optimizer/weight_store.h"
#include "schedules/window.h"

namespace stagecraft {

/// A trained model and where its training stands.
///
/// `weights` has every parameter and running statistic by name, `stage<k>.<layer index>.<name>`:
/// a file that others can read. `state` has the optimizer's buffers of each stage, flat,
/// `stage<k>.<buffer>`, versions before the newest that are still to be read, `stage<k>.version-1`
/// (PipeDream-2BW's), and beside them, as text: the updates of each stage, the position, and a
/// hash of the weights' file, so that the two are not mixed up. With both, training goes on to the
/// bit; weights alone are a start.
struct Snapshot {
  Safetensors weights;
  std::optional<Safetensors> state;
};

/// Number of the data's micro-batch that training goes on with.
std::int64_t PositionOf(const Snapshot& snapshot);

/// Updates that a stage has made.
std::int64_t UpdatesOf(const Snapshot& snapshot, std::int32_t stage);

/// Whether the pipeline was empty when it was saved. If not, what was in flight is lost.
bool WasDrained(const Snapshot& snapshot);

/// Requires a state.
void SetPosition(Snapshot& snapshot, std::int64_t position, bool drained);

/// Says how many micro-batches an epoch of the data has. Requires a state.
void SetEpoch(Snapshot& snapshot, std::int64_t microbatches);

/// For data of whose epochs each has `microbatches` now: a position at the end of some epochs moves
/// to the end of as many. False if it is within an epoch of another length: then it stays.
bool FitPosition(Snapshot& snapshot, std::int64_t microbatches);

/// Whether the state has `buffer`, or the version `back` updates before the newest, of a stage.
bool HasState(const Snapshot& snapshot, std::int32_t stage, const std::string& buffer);
bool HasOlder(const Snapshot& snapshot, std::int32_t stage, std::int32_t back);

/// Gives the state a buffer of zeros, of the type and shape of `like`, as at the start of a run.
/// Requires a state.
void AddZeros(Snapshot& snapshot, std::int32_t stage, const std::string& buffer,
              const HostTensor& like);

/// What one rank has of one stage.
struct StageMemory {
  std::int32_t stage = 0;
  const StageLayout* layout = nullptr;
  ElementType type = ElementType::kFloat32;
  WeightStore* weights = nullptr;
  std::byte* statistics = nullptr;  ///< In the memory of the weights.
};

/// Copies the newest weights, the statistics and the optimizer's state into `snapshot`.
void SaveStage(const StageMemory& memory, Snapshot& snapshot);

/// The reverse, into the newest version's slot. Throws `Error` that says what is missing, or is of
/// another type or shape. Nothing but the weights is read if `snapshot` has no state.
void LoadStage(const Snapshot& snapshot, const StageMemory& memory);

/// The same for the version `older.back` updates before the newest. `LoadOlder` throws `Error` if
/// the snapshot has none, or of another model.
void SaveOlder(const StageMemory& memory, LiveWeights::Older older, Snapshot& snapshot);
void LoadOlder(const Snapshot& snapshot, const StageMemory& memory, LiveWeights::Older older);

/// Whether any version but the newest was saved.
bool HasOlder(const Snapshot& snapshot);

/// One out of the parts that ranks saved; of a stage that several saved, the first counts. The
/// position is the smallest; drained only if all were, else without older versions.
Snapshot Join(std::vector<Snapshot> parts);

/// Both files, and back. `weights_bytes` are those of the weights' file: their hash ties the two
/// together.
struct SnapshotFiles {
  std::string weights;
  std::optional<std::string> state;
};
SnapshotFiles ToFiles(const Snapshot& snapshot);
/// `weights_file` is what diagnostics call the first.
Result<Snapshot> FromFiles(const SnapshotFiles& files, const std::string& weights_file);

/// Beside `model.safetensors`: `model.state.safetensors`.
std::string StateFileOf(const std::string& weights_file);

}  // namespace stagecraft
