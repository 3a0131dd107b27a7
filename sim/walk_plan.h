#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedules/activations.h"
#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/cost_classes.h"
#include "sim/transfer_index.h"
#include "traces/timeline.h"

namespace stagecraft {

/// What a walk over the programs must know of one op, instead of the op: 8 bytes.
struct OpPlan {
  enum class Action : std::uint32_t { kRun, kRunCell, kSend, kReceive, kMeet };

  std::int32_t transfer = kNoTransfer;  ///< As in `TransferIndex`.
  std::uint32_t code = 0;               ///< 8 * cost class + action.

  std::uint32_t CostClass() const { return code / 8; }
  Action GetAction() const { return static_cast<Action>(code % 8); }
};

/// Lane and cost class of a transfer.
struct TransferPlan {
  std::uint32_t lane = 0;
  std::uint32_t cost_class = 0;
};

/// A directed pair of ranks that talk.
struct Channel {
  std::int32_t from = 0;
  std::int32_t to = 0;
};

/// A lowered schedule prepared for walking through all its programs side by side.
struct WalkPlan {
  OpIds ids;
  Table<const OpPlan*> programs;  ///< Per rank, into `ops`.
  Table<OpPlan> ops;              ///< Rank by rank, with gaps.
  Table<Transfer> transfers;      ///< By id of the SEND, without times.
  Table<TransferPlan> of_transfer;
  Table<Channel> channels;  ///< Their lanes follow those of the ranks.
  CostClasses classes;

  std::int32_t Ranks() const { return programs.Count(); }
  std::int32_t Lanes() const { return Ranks() + channels.Count(); }
  const Channel& ChannelOf(std::int32_t transfer) const {
    return channels[of_transfer[transfer].lane - programs.size()];
  }
};

/// With `sizes`, one per stage, cost classes know what ops do to memory. O(ops).
WalkPlan PlanWalk(const Schedule& schedule, const Dependencies& dependencies,
                  TableView<const StageSizes> sizes = {});

}  // namespace stagecraft
