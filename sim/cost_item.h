#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>

#include "schedules/op.h"

namespace stagecraft {

/// One of the figures that decide how long a run takes.
struct CostItem {
  enum class What : std::uint8_t {
    kOp,         ///< All ops of one kind on one stage; of SENDs, their transfers.
    kCell,       ///< All cells that begin on one stage, which has a `joined` cost.
    kLatency,    ///< Of all transfers.
    kBandwidth,  ///< Of all transfers.
    kSpeed,      ///< Of one rank.
  };
  What what = What::kOp;
  OpKind kind = OpKind::kForward;  ///< Of kOp; else kForward.
  std::int32_t index = 0;          ///< Stage of kOp and kCell, rank of kSpeed, else 0.

  friend auto operator<=>(const CostItem&, const CostItem&) = default;
};

/// `F of stage 2`, `cell of stage 2`, `latency`, `bandwidth`, `speed of rank 2`.
std::string ToString(const CostItem& item);

/// Several that differ in the index only, as one: `F of stages 0, 2 to 5`. Requires at least one,
/// by ascending index.
std::string ToString(std::span<const CostItem> alike);

}  // namespace stagecraft
