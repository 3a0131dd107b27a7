#include "tools/reports/training_journal.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

#include <nlohmann/json.hpp>

#include "schedules/staleness.h"
#include "schedules/tables.h"

namespace stagecraft {

TrainingJournal::TrainingJournal(const TrainingPlan& plan, const LearningRate& rate,
                                 JournalStart start, WhenDiverged when_diverged)
    : plan_(plan),
      rate_(rate),
      start_(start),
      ends_(when_diverged == WhenDiverged::kEnds),
      watch_(plan, start) {
  // The updates of one round, at the last stage: their micro-batches, and how stale they are.
  const Schedule& schedule = plan.training.schedule;
  const std::int32_t stages = schedule.shape.stages;
  for (const GradientUse& use : GradientUses(schedule)) {
    const std::int32_t version = use.step_version;
    if (updates_.Count() <= version) {
      updates_.resize(version + 1, {{}, Table<std::int32_t>(stages, 0)});
    }
    std::int32_t& staleness = updates_[version].staleness[use.stage];
    staleness = std::max(staleness, use.step_version - use.version);
    if (use.stage + 1 == schedule.shape.stages) {
      updates_[version].microbatches.push_back(use.microbatch);
    }
  }

  pauses_ = plan.MicrobatchesBeforePauses();
  results_.resize(std::int64_t{schedule.shape.microbatches} * plan.rounds);
}

void TrainingJournal::Take(const TrainingReport& report) {
  if (over_) {
    return;
  }

  watch_.Take(report);
  if (report.kind == TrainingReport::Kind::kEvaluation) {
    evaluations_[report.pause][report.result.microbatch] = report.result;
  } else if (report.kind == TrainingReport::Kind::kTraining) {
    const auto index = static_cast<std::size_t>(report.result.microbatch - start_.microbatch);
    results_.at(index) = report.result;
    last_loss_ = report.result.loss;
    ++seen_;
    samples_seen_ += report.result.samples;
    while (complete_ < static_cast<std::int64_t>(results_.size()) && results_[complete_]) {
      ++complete_;
    }
  }

  // In the order of what they are of: a test loss comes behind the epoch's other numbers.
  FinishUpdates();
  const std::optional<Divergence> first = watch_.First();
  if (first && first->what != Divergence::What::kTestLoss) {
    TellOfDivergence(*first);
  }
  if (!over_) {
    FinishEpochs();
  }
  if (first) {
    TellOfDivergence(*first);
  }
}

void TrainingJournal::Finish() {
  watch_.Finish();
  if (const std::optional<Divergence> first = watch_.First()) {
    TellOfDivergence(*first);
  }
}

void TrainingJournal::TellOfDivergence(const Divergence& divergence) {
  if (!told_of_divergence_) {
    told_of_divergence_ = true;
    over_ = ends_;
    on_divergence(divergence);
  }
}

std::int64_t TrainingJournal::TellableUpdates() const {
  const std::int64_t all = static_cast<std::int64_t>(updates_.size()) * plan_.rounds;
  if (!ends_) {
    return all;
  }
  const std::optional<Divergence> first = watch_.First();
  return std::min({all, watch_.UpdatesMade(), first ? first->update - start_.update + 1 : all});
}

void TrainingJournal::FinishUpdates() {
  const auto of_round = static_cast<std::int64_t>(updates_.size());
  while (of_round > 0 && next_update_ < TellableUpdates()) {
    const Update& update = updates_[next_update_ % of_round];
    const std::int64_t base = next_update_ / of_round * plan_.training.schedule.shape.microbatches;

    UpdateResult result;
    for (const std::int32_t microbatch : update.microbatches) {
      const std::optional<MicrobatchResult>& each = results_[base + microbatch];
      // Reports of different ranks come in any order: one that is missing holds the update back.
      if (!each) {
        return;
      }
      result.microbatches.push_back(each->microbatch);
      result.samples.push_back(each->samples);
      result.losses.push_back(each->loss);
    }

    result.update = start_.update + next_update_;
    result.learning_rate = rate_.At(result.update);
    result.staleness = update.staleness;

    told_microbatches_ += static_cast<std::int64_t>(result.microbatches.size());
    told_samples_ += std::accumulate(result.samples.begin(), result.samples.end(), std::int64_t{0});
    ++next_update_;
    on_update(result);
  }
}

void TrainingJournal::FinishEpochs() {
  const std::size_t expected =
      plan_.evaluation ? static_cast<std::size_t>(plan_.evaluation->schedule.shape.microbatches)
                       : 0;
  while (next_epoch_ < pauses_.size()) {
    const std::int64_t end = pauses_[next_epoch_];
    const auto found = evaluations_.find(static_cast<std::int32_t>(next_epoch_));
    const std::size_t evaluated = found == evaluations_.end() ? 0 : found->second.size();
    // An epoch is over when all its losses are there, those of its evaluation included.
    if (evaluated < expected || complete_ < end ||
        (ends_ &&
         watch_.UpdatesMade() < watch_.UpdatesBefore(static_cast<std::int64_t>(next_epoch_)))) {
      return;
    }

    EpochResult result = Epoch(end);
    if (expected > 0) {
      MicrobatchResult sum;
      for (const auto& [microbatch, each] : found->second) {
        sum.loss += each.loss * static_cast<double>(each.samples);
        sum.samples += each.samples;
        sum.right += each.right;
      }
      result.test_loss = sum.loss / static_cast<double>(sum.samples);
      if (start_.has_accuracy) {
        result.accuracy = static_cast<double>(sum.right) / static_cast<double>(sum.samples);
      }
      evaluations_.erase(found);
    }

    counted_ = end;
    ++next_epoch_;
    on_epoch(result);
  }
}

EpochResult TrainingJournal::Epoch(std::int64_t end) const {
  EpochResult result;
  result.microbatches = end - counted_;
  result.end = start_.microbatch + end;

  // In units of the first one's samples, so that sums of micro-batches of one size are plain sums.
  const auto unit = static_cast<double>(results_[counted_]->samples);
  for (std::int64_t i = counted_; i < end; ++i) {
    const MicrobatchResult& each = *results_[i];
    result.samples += each.samples;
    result.loss += each.loss * (static_cast<double>(each.samples) / unit);
  }
  result.loss /= static_cast<double>(result.samples) / unit;
  return result;
}

std::string ToJsonLine(const UpdateResult& update) {
  const nlohmann::ordered_json line = {
      {"update", update.update},    {"microbatches", update.microbatches},
      {"samples", update.samples},  {"losses", update.losses},
      {"lr", update.learning_rate}, {"staleness", update.staleness}};
  return line.dump() + "\n";
}

}  // namespace stagecraft
