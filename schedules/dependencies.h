#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

/// The members of one all-reduce: the k-th A of a stage on each rank that holds the stage.
struct Collective {
  std::int32_t stage = 0;
  Table<OpRef> members;
};

/// What every op waits for beside the op before it on its rank.
///
/// `input[op]` is the op whose result it consumes, or `kNoOp`:
///   F(s, q)        RECV_F(s, q) on its rank, else F(s-1, q) wherever that runs
///   B, I(s, q)     RECV_B(s, q) on its rank, else B or I(s+1, q) wherever that runs
///   W(s, q)        I(s, q)
///   R(s, q)        F(s, q)
///   SEND_F(s, q)   F(s, q)          SEND_B(s, q)   B or I(s, q)
///   RECV_F(s, q)   SEND_F(s-1, q)   RECV_B(s, q)   SEND_B(s+1, q)
/// The members of a cell start together, so each waits for the inputs of all, and who consumes a
/// member's result waits for the cell's last op. `matching_recv[send]` is the RECV of a SEND.
/// An A waits for the ops before every member of `collectives[collective[op]]`.
struct Dependencies {
  OpTable<OpRef> input;
  OpTable<OpRef> matching_recv;      ///< `kNoOp` for all but SENDs.
  OpTable<std::int32_t> collective;  ///< Of an A: its place in `collectives`; else -1.
  Table<Collective> collectives;     ///< By stage, then by k.
};

/// The one definition of what an op depends on. Never fails: an op that is missing leaves
/// `kNoOp`, of duplicates the first in (rank, index) order counts, ops whose stage or micro-batch
/// is out of range are skipped. O(ops + stages * microbatches); where the product exceeds
/// `kMaxDensePairs` and twice the number of ops, every input is `kNoOp` (such a schedule lacks
/// most of its ops, and `Verify` says so).
Dependencies FindDependencies(const Schedule& schedule);

inline constexpr std::int64_t kMaxDensePairs = 1 << 20;

/// Whether tables of stages * microbatches entries are in proportion to the schedule's ops.
bool IsDense(const Schedule& schedule);

/// First op of the cell that the op at `index` belongs to; `index` itself outside a cell.
std::int32_t CellBegin(const Program& program, std::int32_t index);
/// One past the last op of that cell.
inline std::int32_t CellEnd(const Program& program, std::int32_t index) {
  const std::int32_t last = program.Count() - 1;
  while (index < last && program[index].joined) {
    ++index;
  }
  return index + 1;
}

}  // namespace stagecraft
