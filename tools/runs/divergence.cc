#include "tools/runs/divergence.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/schedule.h"
#include "schedules/staleness.h"

namespace stagecraft {
namespace {

using What = Divergence::What;

/// What is found in an earlier update comes first, then what `What` names first.
auto Order(const Divergence& divergence) {
  return std::tuple(divergence.update, divergence.what, divergence.microbatch, divergence.stage);
}

/// As in JSON.
const char* NameOf(What what) {
  switch (what) {
    case What::kLoss:
      return "loss";
    case What::kGradient:
      return "gradient";
    case What::kTestLoss:
      return "test_loss";
    default:
      return "weights";
  }
}

}  // namespace

std::string ToText(const Divergence& divergence) {
  switch (divergence.what) {
    case What::kLoss:
      return fmt::format("the loss of micro-batch {} (update {}) is not finite",
                         divergence.microbatch, divergence.update);
    case What::kGradient:
      return fmt::format(
          "the gradient of stage {} in update {} (micro-batch {} and on) is not finite",
          divergence.stage, divergence.update, divergence.microbatch);
    case What::kTestLoss:
      return fmt::format("the test loss after update {} (micro-batch {}) is not finite",
                         divergence.update, divergence.microbatch);
    default:
      return fmt::format("the weights after update {} (micro-batch {}) are not finite",
                         divergence.update, divergence.microbatch);
  }
}

Diagnostic WarningOf(const Divergence& divergence) {
  Diagnostic warning;
  warning.severity = Severity::kWarning;
  warning.message = ToText(divergence) + ", so that times behind it may not be usual ones";
  return warning;
}

nlohmann::ordered_json ToJson(const Divergence& divergence) {
  nlohmann::ordered_json json = {{"update", divergence.update},
                                 {"microbatch", divergence.microbatch},
                                 {"what", NameOf(divergence.what)}};
  if (divergence.what == What::kGradient) {
    json["stage"] = divergence.stage;
  }
  return json;
}

DivergenceWatch::DivergenceWatch(const TrainingPlan& plan, const JournalStart& start)
    : plan_(plan), start_(start), pauses_(plan.MicrobatchesBeforePauses()) {
  // Which ranks hold a stage that updates: until all have gone past an update, something in it may
  // still be found.
  const Schedule& schedule = plan.training.schedule;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    for (const std::int32_t stage : schedule.placement[rank]) {
      const Program& program = schedule.programs[rank];
      if (std::any_of(program.begin(), program.end(), [&](const Op& op) {
            return op.kind == OpKind::kStep && op.stage == stage;
          })) {
        holders_.push_back({rank, stage});
      }
    }
  }

  // Which update each micro-batch of a round belongs to, at the last stage, and where each begins.
  update_of_.resize(schedule.shape.microbatches, 0);
  for (const GradientUse& use : GradientUses(schedule)) {
    if (use.stage + 1 != schedule.shape.stages) {
      continue;
    }
    const std::int32_t update = use.step_version;
    update_of_[use.microbatch] = use.step_version;
    if (first_of_.Count() <= update) {
      first_of_.resize(update + 1, schedule.shape.microbatches);
    }
    first_of_[update] = std::min<std::int64_t>(first_of_[update], use.microbatch);
  }
}

void DivergenceWatch::Take(const TrainingReport& report) {
  using Kind = TrainingReport::Kind;
  const auto of_round = static_cast<std::int64_t>(first_of_.size());

  if (report.kind == Kind::kTraining && !std::isfinite(report.result.loss)) {
    Found({.update = UpdateOf(report.result.microbatch - start_.microbatch),
           .what = What::kLoss,
           .microbatch = report.result.microbatch});
  } else if (report.kind == Kind::kEvaluation && !std::isfinite(report.result.loss)) {
    // A test loss belongs to the last update before its pause.
    const std::int64_t trained = pauses_[report.pause];
    Found({.update = UpdatesBefore(report.pause) - 1,
           .what = What::kTestLoss,
           .microbatch = start_.microbatch + trained - 1});
  } else if (report.kind == Kind::kUpdates) {
    const TrainingReport::Updates& updates = report.updates;
    for (Holder& holder : holders_) {
      if (holder.rank == updates.rank && holder.stage == updates.stage) {
        holder.made = updates.made;
      }
    }

    if (updates.not_finite >= 0 && of_round > 0) {
      // Ranks count updates over all rounds of the schedule.
      const std::int64_t round = updates.not_finite / of_round;
      Found({.update = updates.not_finite,
             .what = What::kGradient,
             .microbatch = start_.microbatch + round * plan_.training.schedule.shape.microbatches +
                           first_of_[updates.not_finite % of_round],
             .stage = updates.stage});
    }
  }
}

void DivergenceWatch::Found(Divergence divergence) {
  if (!found_ || Order(divergence) < Order(*found_)) {
    found_ = divergence;
  }
}

std::optional<Divergence> DivergenceWatch::First() const {
  if (!found_ || (!finished_ && UpdatesMade() <= found_->update)) {
    return std::nullopt;
  }
  Divergence first = *found_;
  first.update += start_.update;
  return first;
}

std::int64_t DivergenceWatch::UpdatesMade() const {
  std::int64_t made = std::numeric_limits<std::int64_t>::max();
  for (const Holder& holder : holders_) {
    made = std::min(made, holder.made);
  }
  return made;
}

std::int64_t DivergenceWatch::UpdateOf(std::int64_t microbatch) const {
  const auto in_round = static_cast<std::int64_t>(update_of_.size());
  return microbatch / in_round * static_cast<std::int64_t>(first_of_.size()) +
         update_of_[microbatch % in_round];
}

std::int64_t DivergenceWatch::UpdatesBefore(std::int64_t pause) const {
  const std::int64_t trained = pauses_[pause];
  const auto in_round = static_cast<std::int64_t>(update_of_.size());
  const std::int64_t round = (trained - 1) / in_round;
  std::int64_t updates = 0;
  for (std::int64_t microbatch = 0; microbatch < trained - round * in_round; ++microbatch) {
    updates = std::max(updates, update_of_[microbatch] + std::int64_t{1});
  }
  return round * static_cast<std::int64_t>(first_of_.size()) + updates;
}

}  // namespace stagecraft
