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
  std::int64_t samples = 0;       ///< How many samples these had.
  std::int64_t end = 0;           ///< Number, in the data, of the micro-batch behind the last one.
  double loss = 0;                ///< Mean over the samples.
  /// Mean over the samples of the evaluation; nullopt without one.
  std::optional<double> test_loss;
  std::optional<double> accuracy;  ///< Share of samples, or tokens, in [0, 1]; for classes only.
};

/// One line of the metrics: an update of the last stage.
struct UpdateResult {
  std::int64_t update = 0;                 ///< Counted from the first run of the training.
  std::vector<std::int64_t> microbatches;  ///< Numbers of its micro-batches in the data.
  std::vector<std::int64_t> samples;       ///< Samples of each micro-batch.
  std::vector<double> losses;              ///< Loss of each micro-batch, a mean over its samples.
  double learning_rate = 0;                ///< The rate that the update was made with.
  Table<std::int32_t> staleness;           ///< By stage: the most updates that a gradient missed.
};

/// Puts the reports of all ranks in order: updates as they are complete, epochs as they end. The
/// result depends on the schedule and the losses, not on when reports come.
///
///   reports, as they come   loss 2, loss 3, loss 1,   loss 0
///   told, two per update                              update 0 (0, 1), update 1 (2, 3), epoch
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

  /// Called for every update, and for every epoch, in order.
  std::function<void(const UpdateResult&)> on_update = [](const UpdateResult&) {};
  std::function<void(const EpochResult&)> on_epoch = [](const EpochResult&) {};
  /// Called once at most, as soon as it is certain that nothing before was not finite.
  std::function<void(const Divergence&)> on_divergence = [](const Divergence&) {};

  /// Takes a report of any rank, and tells what it completes.
  void Take(const TrainingReport& report);

  /// No more reports will come.
  void Finish();

  const DivergenceWatch& Watch() const { return watch_; }
  /// Whether it has ended at a number that is not finite.
  bool IsOver() const { return over_; }

  /// Micro-batches and samples with a result; of a journal that has ended, those of the updates
  /// told.
  std::int64_t MicrobatchesSeen() const { return over_ ? told_microbatches_ : seen_; }
  std::int64_t SamplesSeen() const { return over_ ? told_samples_ : samples_seen_; }
  /// The loss of the last report; nullopt before the first.
  std::optional<double> LastLoss() const { return last_loss_; }

 private:
  /// Tells the updates that are complete and have not been told.
  void FinishUpdates();
  /// The same for epochs.
  void FinishEpochs();
  /// What there is to tell of the epoch before micro-batch `end` of this run.
  EpochResult Epoch(std::int64_t end) const;
  /// Tells it once, and ends a journal that ends there.
  void TellOfDivergence(const Divergence& divergence);
  /// How many updates of this run may be told: of a journal that ends, only those that every stage
  /// has made, up to the one that diverged.
  std::int64_t TellableUpdates() const;

  /// One update of a round. They are kept by the version of the last stage's S.
  struct Update {
    std::vector<std::int32_t> microbatches;  ///< Numbers within the round.
    Table<std::int32_t> staleness;           ///< By stage.
  };

  const TrainingPlan& plan_;
  const LearningRate& rate_;
  JournalStart start_;  ///< The numbers that the first micro-batch and the first update have.
  bool ends_ = false;   ///< Whether it ends at the first number that is not finite.
  DivergenceWatch watch_;
  Table<Update> updates_;       ///< The updates of one round.
  Table<std::int64_t> pauses_;  ///< Micro-batches before each pause, over all rounds.
  /// By micro-batch, over all rounds; nullopt: not reported yet.
  Table<std::optional<MicrobatchResult>> results_;
  /// By pause and micro-batch.
  std::map<std::int32_t, std::map<std::int64_t, MicrobatchResult>> evaluations_;
  std::int64_t seen_ = 0;               ///< Micro-batches that were reported.
  std::int64_t samples_seen_ = 0;       ///< Samples of these micro-batches.
  std::int64_t complete_ = 0;           ///< The first micro-batch that was not reported.
  std::int64_t next_update_ = 0;        ///< The first that was not told, over all rounds.
  std::size_t next_epoch_ = 0;          ///< The first that was not told, over all rounds.
  std::int64_t counted_ = 0;            ///< Micro-batches of the epochs told.
  std::int64_t told_microbatches_ = 0;  ///< Micro-batches of the updates told.
  std::int64_t told_samples_ = 0;       ///< Samples of these micro-batches.
  std::optional<double> last_loss_;     ///< The loss of the report that came last, in any order.
  bool told_of_divergence_ = false;
  bool over_ = false;  ///< Nothing more is taken.
};

/// `{"update": 3, "microbatches": [3], "samples": [16], "losses": [0.5], "lr": 0.05, "staleness":
/// [3, 2, 1, 0]}`.
std::string ToJsonLine(const UpdateResult& update);

}  // namespace stagecraft
