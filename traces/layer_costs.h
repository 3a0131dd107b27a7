#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "schedules/diagnostic.h"
#include "traces/layer_profile.h"

namespace stagecraft {

/// What one layer costs at the micro-batch size that is wanted, complete. Values are at most one
/// above the limits of costs.h: scaling may go beyond them, and who sums them up checks.
struct LayerCosts {
  /// Durations of one micro-batch.
  Nanoseconds forward{0}, backward{0}, backward_input{0}, backward_weight{0}, recompute{0};
  std::int64_t output_bytes = 0;
  std::int64_t activation_bytes = 0;
};

/// Which passes of a schedule count as the time of a layer.
enum class Passes : std::uint8_t {
  kBoth,     ///< Forward and backward.
  kForward,  ///< An evaluation has no other.
};

/// Where a micro-batch size lies among the measured ones: `share` of the way from the size at index
/// `low` to the one at `high`; if they are the same, costs are those at `low` times `share`.
struct SizePosition {
  std::size_t low = 0;  ///< Index into the measured sizes, as is `high`.
  std::size_t high = 0;
  /// A fraction in [0, 1] between two sizes; any positive factor of a single one.
  double share = 1;
};

/// Where `microbatch_size` (samples) lies among the measured sizes. Error unless it is above 0 and
/// at most `kMaxMicrobatchSize`.
Result<SizePosition> FindSize(const Profile& profile, double microbatch_size);

/// Fills what is missing at each measured size by the rules in stage_costs.h, then scales.
LayerCosts CostsAt(const ProfileLayer& layer, const SizePosition& position);

/// Running sums of the layers' times in nanoseconds: layer i takes `sums[i + 1] - sums[i]`, and the
/// first sum is 0.
std::vector<std::int64_t> TimeSums(const Profile& profile, const SizePosition& position,
                                   Passes passes);

}  // namespace stagecraft
