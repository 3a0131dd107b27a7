#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/training.h"

namespace stagecraft {

/// The name of a tensor of `snapshot`, weights or state, that has a number that is not finite;
/// nothing if all are. O(bytes).
std::optional<std::string> FindNotFinite(const Snapshot& snapshot);

/// Keeps the last snapshots that all ranks told at a pause, for a run that ends because a number is
/// not finite.
class GoodSnapshots {
 public:
  explicit GoodSnapshots(std::int32_t ranks) : ranks_(ranks) {}

  /// A `kSnapshot`, with what follows it.
  void Take(const TrainingReport& report, std::string_view part);

  /// The last in which everything is finite, at one of the first `pauses` pauses; nothing if there
  /// is none.
  std::optional<Snapshot> LastOf(std::int64_t pauses) const;

 private:
  using Parts = std::map<std::int32_t, std::string>;  ///< By rank.

  std::int32_t ranks_;
  std::map<std::int32_t, Parts> parts_;  ///< By pause; two that are complete at most.
};

}  // namespace stagecraft
