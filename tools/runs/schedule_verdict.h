#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schedules/activations.h"
#include "schedules/diagnostic.h"
#include "schedules/lower.h"
#include "schedules/progress.h"
#include "schedules/schedule.h"
#include "tools/command.h"
#include "traces/costs.h"

namespace stagecraft {

/// The most that a schedule may need; nullopt: no limit.
struct ScheduleLimits {
  std::optional<std::int32_t> staleness;    ///< Updates that a gradient missed.
  std::optional<std::int32_t> slots;        ///< Weight copies of a stage on a rank.
  std::optional<std::int32_t> activations;  ///< Activation sets of a stage on a rank.
  std::optional<std::int64_t> memory;       ///< Bytes of a rank: weights, optimizer, activations.
};

/// How a schedule is judged.
struct VerdictRequest {
  SendMode send = SendMode::kEager;  ///< Decides whether the schedule is good.
  ReceivePolicy receive;             ///< Where a schedule without SENDs and RECVs gets its RECVs.
  ScheduleLimits limits;             ///< What a good schedule is held against.
  std::vector<StageSizes> sizes;     ///< Sizes of each stage; needed for a limit of memory only.
};

/// What there is to say about one schedule.
struct ScheduleVerdict {
  /// What `Verify` says in one send mode.
  struct OfMode {
    SendMode mode = SendMode::kEager;
    std::vector<Diagnostic> faults;
  };
  /// A limit that is exceeded somewhere.
  struct Exceeded {
    std::string flag;  ///< `--max-slots`.
    Diagnostic fault;  ///< The place where it is exceeded, and by what.
  };

  std::string name;                        ///< As it was given: a file, or a generator's.
  ExitCode code = ExitCode::kFine;         ///< kUsage: it could not be read.
  std::optional<std::string> fingerprint;  ///< None if it could not be read.
  std::vector<OfMode> modes;               ///< All three; empty if it could not be read.
  std::vector<Diagnostic> found;           ///< Each once; of other send modes only: a warning.
  std::vector<Exceeded> exceeded;          ///< Limits that a good schedule exceeds.
  Costs costs;  ///< Costs of its stages; empty without a limit of memory.
};

/// Verifies `schedule` in every send mode; if it is good, asks for its limits. Faults of other send
/// modes than `request.send` are warnings. A faulty schedule is refused, and has no limits checked.
ScheduleVerdict Judge(const Schedule& schedule, const VerdictRequest& request);

}  // namespace stagecraft
