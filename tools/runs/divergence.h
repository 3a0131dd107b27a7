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
  std::int64_t microbatch = 0;  ///< Number, in the data, of the first micro-batch.
  std::int64_t update = 0;      ///< Number of the first update.
  bool has_accuracy = true;     ///< Whether the targets are classes.
};

/// Where a training first met a number that is not finite.
struct Divergence {
  enum class What : std::uint8_t { kLoss, kGradient, kTestLoss, kWeights };
  std::int64_t update = 0;  ///< As in the metrics; of a test loss or weights the last one made.
  /// The kind of number; of several in one update the first in this order is told.
  What what = What::kLoss;
  /// Number, in the data: of a loss its own, of a gradient the first of its update, else the last.
  std::int64_t microbatch = 0;
  std::int32_t stage = 0;  ///< The stage of a gradient.
};

/// `the loss of micro-batch 4 (update 1) is not finite`.
std::string ToText(const Divergence& divergence);

/// The warning of commands that only measure: such numbers may take other times than usual ones.
Diagnostic WarningOf(const Divergence& divergence);

/// `{"update": 1, "microbatch": 4, "what": "loss"}`, with the stage of a gradient.
nlohmann::ordered_json ToJson(const Divergence& divergence);

/// Looks for the first number that is not finite in the reports of all ranks. The same job always
/// gives the same, in whichever order reports of different ranks come: one that has been found
/// counts when every stage has made its update, so that nothing before it can be found later.
///
///   stage 1   update 0   update 1   update 2: loss not finite       found here first, but
///   stage 0   update 0   update 1: gradient not finite              this one is told
///
/// All stages are taken to update after the same micro-batches, as those of every generator do.
class DivergenceWatch {
 public:
  /// `plan` must live on.
  DivergenceWatch(const TrainingPlan& plan, const JournalStart& start);

  /// Takes a report of any rank.
  void Take(const TrainingReport& report);

  /// No more reports will come: what has been found counts.
  void Finish() { finished_ = true; }

  /// The first, once that is certain.
  std::optional<Divergence> First() const;

  /// Updates of this run that every stage has made, as far as is known.
  std::int64_t UpdatesMade() const;

  /// How many pauses there are, over all rounds.
  std::int64_t Pauses() const { return static_cast<std::int64_t>(pauses_.size()); }

  /// Updates of this run that end before the `pause`-th pause, over all rounds.
  std::int64_t UpdatesBefore(std::int64_t pause) const;

 private:
  /// A rank that updates a stage, and how often it has.
  struct Holder {
    std::int32_t rank = 0;
    std::int32_t stage = 0;
    std::int64_t made = 0;  ///< Updates that it has reported, of this run.
  };

  /// Keeps what is first in the order of the training, not of the reports.
  void Found(Divergence divergence);
  /// The update, counted in this run, that a micro-batch of this run is part of.
  std::int64_t UpdateOf(std::int64_t microbatch) const;

  const TrainingPlan& plan_;
  JournalStart start_;
  Table<std::int64_t> pauses_;   ///< Micro-batches before each pause, over all rounds.
  std::vector<Holder> holders_;  ///< All that update.
  /// By micro-batch of one round: its update at the last stage.
  Table<std::int64_t> update_of_;
  Table<std::int64_t> first_of_;     ///< By update of one round: its first micro-batch.
  std::optional<Divergence> found_;  ///< Its update is counted in this run.
  bool finished_ = false;            ///< No more reports will come.
};

}  // namespace stagecraft
