#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/training.h"
#include "schedules/tables.h"
#include "tools/runs/divergence.h"

namespace stagecraft {

/// What one pause in a training found: at the end of an epoch, or of the run.
struct EpochResult {
  std::int64_t microbatches = 0;  ///< Trained since the pause before.
  std::int64_t samples = 0;       ///< Theirs.
  std::int64_t end = 0;           ///< Number, of the data, of the micro-batch behind the last.
  double loss = 0;                ///< Mean over the samples.
  std::optional<double> test_loss;
  std::optional<double> accuracy;  ///< Share of samples, or tokens, in [0, 1]; for classes only.
};

/// One line of the metrics: an update of the last stage.
struct UpdateResult {
  std::int64_t update = 0;
  std::vector<std::int64_t> microbatches;  ///< Numbers of the data.
  std::vector<std::int64_t> samples;       ///< Of each.
  std::vector<double> losses;              ///< Of each, a mean over its samples.
  double learning_rate = 0;
  Table<std::int32_t> staleness;  ///< Per stage: updates that its gradients missed.
};

/// Puts the reports of all ranks in order: updates as they are complete, epochs as they end. The
/// result depends on the schedule and the losses, not on when reports come.
///
/// One that ends at the first number that is not finite holds updates and epochs back until every
/// stage has made them, tells all up to the update in which that number is, and nothing behind it.
class TrainingJournal {
 public:
  /// What happens at the first number that is not finite.
  enum class WhenDiverged : std::uint8_t { kGoesOn, kEnds };

  /// `plan` and `rate` must live on.
  TrainingJournal(const TrainingPlan& plan, const LearningRate& rate, JournalStart start,
                  WhenDiverged when_diverged = WhenDiverged::kGoesOn);

  /// Called for each, in order.
  std::function<void(const UpdateResult&)> on_update = [](const UpdateResult&) {};
  std::function<void(const EpochResult&)> on_epoch = [](const EpochResult&) {};
  /// Called once at most, as soon as it is certain that nothing before was not finite.
  std::function<void(const Divergence&)> on_divergence = [](const Divergence&) {};

  void Take(const TrainingReport& report);

  /// No more reports will come.
  void Finish();

  const DivergenceWatch& Watch() const { return watch_; }
  /// Whether it has ended at a number that is not finite.
  bool IsOver() const { return over_; }

  /// If it has ended, those of the updates that were told.
  std::int64_t MicrobatchesSeen() const { return over_ ? told_microbatches_ : seen_; }
  std::int64_t SamplesSeen() const { return over_ ? told_samples_ : samples_seen_; }
  std::optional<double> LastLoss() const { return last_loss_; }

 private:
  void FinishUpdates();
  void FinishEpochs();
  EpochResult Epoch(std::int64_t end) const;
  void TellOfDivergence(const Divergence& divergence);
  /// How many updates of this run may be told.
  std::int64_t TellableUpdates() const;

  /// Of one round, by version of the last stage's S.
  struct Update {
    std::vector<std::int32_t> microbatches;
    Table<std::int32_t> staleness;
  };

  const TrainingPlan& plan_;
  const LearningRate& rate_;
  JournalStart start_;
  bool ends_ = false;
  DivergenceWatch watch_;
  Table<Update> updates_;
  Table<std::int64_t> pauses_;                      ///< Of all rounds: micro-batches before each.
  Table<std::optional<MicrobatchResult>> results_;  ///< By micro-batch of all rounds.
  std::map<std::int32_t, std::map<std::int64_t, MicrobatchResult>> evaluations_;  ///< By pause.
  std::int64_t seen_ = 0;
  std::int64_t samples_seen_ = 0;
  std::int64_t complete_ = 0;     ///< All results before it are there.
  std::int64_t next_update_ = 0;  ///< Of all rounds.
  std::size_t next_epoch_ = 0;    ///< Of all rounds.
  std::int64_t counted_ = 0;      ///< Micro-batches of epochs that are over.
  std::int64_t told_microbatches_ = 0;
  std::int64_t told_samples_ = 0;
  std::optional<double> last_loss_;
  bool told_of_divergence_ = false;
  bool over_ = false;
};

/// `{"update": 3, "microbatches": [3], "samples": [16], "losses": [0.5], "lr": 0.05, "staleness":
/// [3, 2, 1, 0]}`.
std::string ToJsonLine(const UpdateResult& update);

}  // namespace stagecraft
