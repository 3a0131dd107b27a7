#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/training.h"
#include "schedules/diagnostic.h"
#include "schedules/tables.h"

namespace stagecraft {

/// Where the numbers of a run begin, and what is trained.
struct JournalStart {
  std::int64_t microbatch = 0;
  std::int64_t update = 0;
  bool has_accuracy = true;  ///< The targets are classes.
};

/// Where a training first met a number that is not finite.
struct Divergence {
  enum class What : std::uint8_t { kLoss, kGradient, kTestLoss, kWeights };
  std::int64_t update = 0;  ///< As in the metrics; of a test loss or weights the last one made.
  What what = What::kLoss;  ///< What is found first within an update comes first.
  std::int64_t microbatch =
      0;                   ///< Of a loss; of a gradient the first of its update; else the last.
  std::int32_t stage = 0;  ///< Of a gradient.
};

/// `the loss of micro-batch 4 (update 1) is not finite`.
std::string ToText(const Divergence& divergence);

/// For commands that only measure: such numbers may take other times than usual ones.
Diagnostic WarningOf(const Divergence& divergence);

/// `{"update": 1, "microbatch": 4, "what": "loss"}`, with the stage of a gradient.
nlohmann::ordered_json ToJson(const Divergence& divergence);

/// Looks for the first number that is not finite in the reports of all ranks. The same job always
/// gives the same, in whichever order reports of different ranks come: one that has been found
/// counts when every stage has made its update, so that nothing before it can be found later.
///
/// All stages are taken to update after the same micro-batches, as those of every generator do.
class DivergenceWatch {
 public:
  /// `plan` must live on.
  DivergenceWatch(const TrainingPlan& plan, const JournalStart& start);

  void Take(const TrainingReport& report);

  /// No more reports will come: what has been found counts.
  void Finish() { finished_ = true; }

  /// The first, once that is certain.
  std::optional<Divergence> First() const;

  /// Updates of this run that every stage has made, as far as is known.
  std::int64_t UpdatesMade() const;

  /// Of all rounds.
  std::int64_t Pauses() const { return static_cast<std::int64_t>(pauses_.size()); }

  /// Updates of this run that end before the `pause`-th pause, over all rounds.
  std::int64_t UpdatesBefore(std::int64_t pause) const;

 private:
  struct Holder {
    std::int32_t rank = 0;
    std::int32_t stage = 0;
    std::int64_t made = 0;
  };

  void Found(Divergence divergence);
  std::int64_t UpdateOf(std::int64_t microbatch) const;

  const TrainingPlan& plan_;
  JournalStart start_;
  Table<std::int64_t> pauses_;       ///< Of all rounds: micro-batches before each.
  std::vector<Holder> holders_;      ///< Of stages that update.
  Table<std::int64_t> update_of_;    ///< Of one round, by micro-batch: at the last stage.
  Table<std::int64_t> first_of_;     ///< Of one round, by update: its first micro-batch.
  std::optional<Divergence> found_;  ///< With the update's number in this run.
  bool finished_ = false;
};

}  // namespace stagecraft
