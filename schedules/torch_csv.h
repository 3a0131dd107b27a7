#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/placements.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// The two kinds of schedule files of torch.distributed.pipelining: rows are ranks, cells are
/// actions, there is no header.
enum class TorchFormat : std::uint8_t {
  kComputeOnly,   ///< F, B, I, W and cells of two; an empty cell is an idle step.
  kComputeComms,  ///< With SENDs and RECVs; no empty cells.
};

/// A schedule read from such a file, and where its ops stand in it.
struct TorchSchedule {
  Schedule schedule;
  Table<Table<std::int32_t>> cells;  ///< Cell of each op, from 1; 0: not in the file.
};

/// Reads such a file as a flush schedule of one batch: all reads are of version 0, and a stage
/// steps behind its last B or W and what is sent of it. Stricter than torch, which reads `0F1x` as
/// 0F1: every character counts. Words that say when something is waited for, gathered or reduced
/// are counted in a warning and have no effect. A stage is on the rank in whose row it stands;
/// `placement` may say more, and must not contradict. Cells may be quoted, and lines end as on
/// Windows. Reports every fault, by rank and cell.
/// `file` is named in the diagnostics.
Result<TorchSchedule> ParseTorchCsv(std::string_view text, std::string_view file,
                                    const std::optional<Placement>& placement = std::nullopt);

/// What the letters of torch 2.5 and older mean, and how such a file becomes one of today.
inline constexpr std::string_view kOldTorchNames =
    "files from before torch renamed its actions have BW for the full backward, B for that of the "
    "input and W for that of the weights; expected B, I and W; to convert one: "
    "sed -E 's/([0-9])B([0-9])/\\1I\\2/g; s/BW/B/g'";

/// `Verify`, by the cells of the file. A file of old names, where B stands beside W, gets one
/// sentence for all of them.
std::vector<Diagnostic> VerifyTorchCsv(const TorchSchedule& read, std::string_view file);

/// The place of an op of `read` in its file: `x.csv, rank 3, cell 7 (3F1)`.
std::string CellName(const TorchSchedule& read, std::string_view file, OpRef op);

/// Writes such a file; in `kComputeComms` with a WAIT_SEND per SEND, where torch has them: of a
/// SEND_F behind the stage's backward, of a SEND_B at the end. A schedule without communication is
/// lowered first (early receives). What the format can't hold is
/// left out with a warning: weight versions, steps, predictions, recomputation. Fails for a
/// replicated stage, forward mode, and cells other than a forward with a backward. Requires
/// `Verify(schedule)` empty.
Result<std::string> PrintTorchCsv(const Schedule& schedule, TorchFormat format);

}  // namespace stagecraft
