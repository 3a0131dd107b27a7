#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/tables.h"
#include "traces/layer_costs.h"
#include "traces/layer_profile.h"

namespace stagecraft {

/// How the layers were cut: stage i holds layers [begin[i], begin[i+1]).
struct Partition {
  Table<std::int32_t> begin;  ///< stages + 1 entries, first 0, last = number of layers.

  friend bool operator==(const Partition&, const Partition&) = default;
};

/// The contiguous partition of the chain into `stages` parts with the least time (forward +
/// backward) of the slowest stage, exactly; of several, each cut from the left stands where the
/// time behind it is shared out most evenly. See partition.cc. Ready stages are not cut: their
/// number must be `stages`.
///
/// Errors if there are fewer layers than stages, or `microbatch_size` (samples) is out of range.
/// Requires `CheckProfile(profile)` empty. O(layers * log(total time)).
Result<Partition> BalancedPartition(const Profile& profile, std::int32_t stages,
                                    double microbatch_size);

/// The same where stage i is done `powers[i]` times as fast as by one rank, since so many replicas
/// share its micro-batches, or its rank is so much faster than others: the partition with the least
/// max(time of stage i / powers[i]), to a nanosecond of work; PipeDream's objective (Harlap et al.,
/// 2018, section 3.2, without the time of transfers). `passes` says what the time of a layer is.
/// O(layers * stages * log(total time)) unless all powers are equal. Requires every power to be
/// above 0.
Result<Partition> BalancedPartition(const Profile& profile, std::span<const double> powers,
                                    double microbatch_size, Passes passes = Passes::kBoth);

/// The partition in which stage i + 1 begins with layer `cut[i]`. Errors, in terms of layers, if
/// the cut is not ascending or leaves a stage without layers, or if `profile` has ready stages.
Result<Partition> PartitionAt(const Profile& profile, std::span<const std::int32_t> cut);

}  // namespace stagecraft
