#pragma once

#include <compare>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/placements.h"
#include "traces/layer_costs.h"
#include "traces/layer_profile.h"
#include "traces/partition.h"
#include "traces/timeline.h"

namespace stagecraft {

/// What a cut is to even out.
struct CutGoal {
  Passes passes = Passes::kBoth;
  /// Speed of each rank relative to the others, above 0, by which its time is divided. Ranks that
  /// the list does not reach have 1.
  std::vector<double> speed{};

  friend auto operator<=>(const CutGoal&, const CutGoal&) = default;
};

/// How busy a cut makes ranks and stages with one micro-batch. Of a stage on R ranks, which share
/// its micro-batches, each has a R-th, for as long as its speed says.
struct CutLoad {
  double busiest_rank = 0;   ///< Nanoseconds.
  double slowest_stage = 0;  ///< Nanoseconds, of its slowest replica.
};

/// A cut that was chosen for the placement of a schedule.
struct PlacedCut {
  Partition partition;
  CutLoad load;
  double least = 0;  ///< Nanoseconds of the busiest rank, in the best cut for it that was found.
  double bound = 0;  ///< Total over speeds, in nanoseconds: no cut makes the busiest rank less.
  bool is_proved = false;  ///< Whether no cut makes the busiest rank less busy than `least`.
};

/// What `partition` makes of `placement`. Requires a partition of this profile into the stages of
/// `placement`, each on at least one rank, and `CheckProfile(profile)` empty.
Result<CutLoad> LoadOf(const Profile& profile, const Partition& partition,
                       const Placement& placement, double microbatch_size,
                       const CutGoal& goal = {});

/// A cut that makes the busiest rank of `placement` least busy, to within 2 %, and of these the one
/// whose slowest stage is fastest, and whose stages are even. Exact, and `BalancedPartition`, where
/// each rank has one stage, or one rank has all. Else a descent from the even cut, then a search of
/// all cuts that ends after a fixed number of them: `is_proved` says whether it came to its end.
/// See placed_cut.cc.
///
/// Errors as those of `BalancedPartition`; ready stages are not cut. Requires every stage from 0 to
/// the largest in `placement` to be on at least one rank. The same arguments give the same cut.
Result<PlacedCut> CutForPlacement(const Profile& profile, const Placement& placement,
                                  double microbatch_size, const CutGoal& goal = {});

}  // namespace stagecraft
