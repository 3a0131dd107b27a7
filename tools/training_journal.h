#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/training.h"

namespace stagecraft {

/// What one pause in a training found: an epoch's end.
struct EpochResult {
  std::int64_t microbatches = 0;  ///< Trained since the pause before.
  double loss = 0;                ///< Mean over them.
  std::optional<double> test_loss;
  std::optional<double> accuracy;  ///< Share of samples, or tokens, in [0, 1]; for classes only.
};

/// One line of the metrics: an update of the last stage.
struct UpdateResult {
  std::int64_t update = 0;
  std::vector<std::int64_t> microbatches;  ///< Numbers of the data.
  std::vector<double> losses;              ///< Of each.
  double learning_rate = 0;
  std::vector<std::int32_t> staleness;  ///< Per stage: updates that its gradients missed.
};

/// Where the numbers of a journal begin, and what is trained.
struct JournalStart {
  std::int64_t microbatch = 0;
  std::int64_t update = 0;
  bool has_accuracy = true;  ///< The targets are classes.
};

/// Puts the reports of all ranks in order: updates as they are complete, epochs as they end. The
/// result depends on the schedule and the losses, not on when reports come.
class TrainingJournal {
 public:
  /// `plan` and `rate` must live on.
  TrainingJournal(const TrainingPlan& plan, const LearningRate& rate, JournalStart start);

  /// Called for each, in order.
  std::function<void(const UpdateResult&)> on_update = [](const UpdateResult&) {};
  std::function<void(const EpochResult&)> on_epoch = [](const EpochResult&) {};

  void Take(const TrainingReport& report);

  std::int64_t MicrobatchesSeen() const { return seen_; }
  std::optional<double> LastLoss() const { return last_loss_; }

 private:
  void FinishUpdates();
  void FinishEpochs();

  /// Of one round, by version of the last stage's S.
  struct Update {
    std::vector<std::int32_t> microbatches;
    std::vector<std::int32_t> staleness;
  };

  const TrainingPlan& plan_;
  const LearningRate& rate_;
  JournalStart start_;
  std::vector<Update> updates_;
  std::vector<std::optional<double>> losses_;  ///< By micro-batch of all rounds.
  std::map<std::int32_t, std::map<std::int64_t, MicrobatchResult>> evaluations_;  ///< By pause.
  std::int64_t seen_ = 0;
  std::int64_t complete_ = 0;     ///< All losses before it are there.
  std::int64_t next_update_ = 0;  ///< Of all rounds.
  std::size_t next_epoch_ = 0;    ///< Of all rounds.
  std::int64_t counted_ = 0;      ///< Micro-batches of epochs that are over.
  std::optional<double> last_loss_;
};

/// `{"update": 3, "microbatches": [3], "losses": [0.5], "lr": 0.05, "staleness": [3, 2, 1, 0]}`.
std::string ToJsonLine(const UpdateResult& update);

}  // namespace stagecraft
