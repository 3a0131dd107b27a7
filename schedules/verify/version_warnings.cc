#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/tables.h"
#include "schedules/verify.h"

namespace stagecraft {
namespace {

std::string Count(std::int64_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

void Warn(std::vector<Diagnostic>& warnings, std::size_t stage, std::string message,
          std::string_view rule, OpRef op) {
  Diagnostic& warning = warnings.emplace_back();
  warning.severity = Severity::kWarning;
  warning.where = fmt::format("stage {}", stage);
  warning.message = std::move(message);
  warning.rule = rule;
  warning.op = op;
}

/// What to say of one stage: counts, and the first op of each kind.
struct StageCounts {
  std::int64_t mismatched = 0;  ///< Backwards that aim at other weights than their forward.
  std::int64_t misjudged = 0;   ///< Forwards whose horizon is not the true distance.
  OpRef first_mismatched, first_misjudged;
  std::int64_t read = 0, used = 0;         ///< Of the first mismatch: version + horizon.
  std::int32_t horizon = 0, distance = 0;  ///< Of the first misjudged forward.
};

class WarningScan {
 public:
  explicit WarningScan(const Schedule& schedule)
      : schedule_(schedule), counts_(schedule.shape.stages) {}

  void ScanBackwards() {
    PairTable<std::int64_t> aimed(schedule_.shape);  // By each forward.
    for (std::int32_t rank = 0; rank < schedule_.programs.Count(); ++rank) {
      const Program& program = schedule_.programs[rank];
      for (std::int32_t i = 0; i < program.Count(); ++i) {
        const Op& op = program[i];
        if (!TraitsOf(op.kind).reads_weights) {
          continue;
        }

        std::int64_t& forward = aimed[op];
        const std::int64_t aim = std::int64_t{op.version} + op.horizon;
        if (op.kind == OpKind::kForward) {
          forward = aim;
        } else if (aim != forward && op.kind != OpKind::kRecompute) {
          StageCounts& counts = counts_[op.stage];
          if (counts.mismatched++ == 0) {
            counts.first_mismatched = {rank, i};
            counts.read = forward;
            counts.used = aim;
          }
        }
      }
    }
  }

  void ScanHorizons() {
    for (const GradientUse& use : GradientUses(schedule_)) {
      StageCounts& counts = counts_[use.stage];
      const std::int32_t distance = use.step_version - use.version;
      if (use.horizon == 0 || use.horizon == distance) {
        continue;
      }

      // Uses come in the order of gradients; what is named is the first forward.
      if (counts.misjudged++ == 0 || use.forward < counts.first_misjudged) {
        counts.first_misjudged = use.forward;
        counts.horizon = use.horizon;
        counts.distance = distance;
      }
    }
  }

  std::vector<Diagnostic> Report() const {
    std::vector<Diagnostic> warnings;
    for (std::size_t stage = 0; stage < counts_.size(); ++stage) {
      const StageCounts& counts = counts_[stage];
      if (counts.mismatched > 0) {
        Warn(warnings, stage,
             fmt::format("{} for other weights than the forward, first {}: version {} instead of "
                         "{}",
                         Count(counts.mismatched, "backward"),
                         ToString(schedule_.At(counts.first_mismatched)), counts.used, counts.read),
             "backward-version", counts.first_mismatched);
      }

      if (counts.misjudged > 0) {
        Warn(warnings, stage,
             fmt::format("{} with a horizon that is not the true distance, first {}: {:+} instead "
                         "of {:+}",
                         Count(counts.misjudged, "forward"),
                         ToString(schedule_.At(counts.first_misjudged)), counts.horizon,
                         counts.distance),
             "true-horizon", counts.first_misjudged);
      }
    }
    return warnings;
  }

 private:
  const Schedule& schedule_;
  Table<StageCounts> counts_;
};

bool HasHorizons(const Schedule& schedule) {
  for (const Program& program : schedule.programs) {
    for (const Op& op : program) {
      if (op.horizon != 0) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

std::vector<Diagnostic> VersionWarnings(const Schedule& schedule) {
  WarningScan scan(schedule);
  scan.ScanBackwards();
  if (HasHorizons(schedule)) {
    scan.ScanHorizons();
  }
  return scan.Report();
}

}  // namespace stagecraft
