#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/executor.h"
#include "schedules/drains.h"
#include "schedules/window.h"

namespace stagecraft {

/// A schedule and where its run pauses.
struct TrainingPlan {
  ExecutionPlan training;
  std::int32_t rounds = 1;    ///< How often it runs; each goes on with the newest weights.
  std::vector<Drain> pauses;  ///< Of each round, ascending; the last is the end.
  /// At the end of every so many rounds, and of the last, is a pause; at that of others is none.
  std::int32_t rounds_per_pause = 1;
  std::optional<ExecutionPlan> evaluation;  ///< Runs at each pause.
  std::vector<LiveWeights> begin, end;      ///< What a round finds, and what it leaves.
  /// Devices too say after every update whether its gradient was finite, for which they wait until
  /// it has run; else at each pause.
  bool tells_updates = false;
  bool tells_snapshots = false;  ///< Each rank tells its part of a snapshot at each pause.

  /// Whether there is a pause at the end of a round.
  bool PausesBehind(std::int32_t round) const {
    return (round + 1) % rounds_per_pause == 0 || round + 1 == rounds;
  }
  /// Of all rounds: how many micro-batches of the run come before each pause, ascending.
  std::vector<std::int64_t> MicrobatchesBeforePauses() const;
};

/// Pauses wherever the pipeline is empty after a multiple of `every` micro-batches (0: never), and
/// at the end. Evaluates `evaluation_microbatches` at each, if there are any. Requires
/// `Verify(lowered)` empty, with all its SENDs and RECVs.
///
/// With a `range`, which `CutWindow` says what to expect of, only its micro-batches are trained:
/// with what comes before, the run may go on from a snapshot that has older versions; with what
/// comes behind, its own snapshot has them. If `begin` then names older versions, only a snapshot
/// that has them may be the start.
TrainingPlan PlanTraining(const Schedule& lowered, std::int32_t every,
                          std::int32_t evaluation_microbatches,
                          std::optional<MicrobatchRange> range = std::nullopt);

}  // namespace stagecraft
