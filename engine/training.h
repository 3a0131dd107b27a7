#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/data/batches.h"
#include "engine/model_stage.h"
#include "engine/optimizer/learning_rate.h"
#include "engine/optimizer/optimizer.h"
#include "engine/ranks/job.h"
#include "engine/snapshot.h"
#include "engine/training_plan.h"

namespace stagecraft {

/// What is trained, on what and how. With a schedule it fixes every bit of the result.
struct TrainingTask {
  Model model;
  TensorShape sample;  ///< Shape of one sample's input.
  ElementType type = ElementType::kFloat32;
  Loss loss = Loss::kCrossEntropy;
  OptimizerOptions optimizer;
  LearningRate learning_rate;
  std::uint64_t seed = 0;  ///< Of the initial weights and of dropout.
  Compute compute;
  std::int64_t microbatches_per_epoch = 0;  ///< Of the data, for snapshots; 0: not known.
  /// Makes the data of one rank; called on the rank's thread. `evaluation` may be empty.
  std::function<std::unique_ptr<BatchSource>()> training, evaluation;
  /// Tells these data, and how micro-batches are made of them, from others. May be empty.
  std::function<std::string()> data{};
};

/// What a rank tells while it trains, as the bytes of a job's report.
struct TrainingReport {
  enum class Kind : std::uint8_t {
    kTraining,
    kEvaluation,
    kClock,
    kUpdates,   ///< At each pause, at least ten times a second, and at once if `not_finite`.
    kSnapshot,  ///< At each pause, if `TrainingPlan::tells_snapshots`: the rank's part follows.
  };
  Kind kind = Kind::kTraining;
  std::int32_t pause = 0;  ///< Of an evaluation: how many pauses came before, over all rounds.
  MicrobatchResult result{};
  std::int32_t clock = 0;  ///< MHz of the rank's device, at the begin and end of a round.

  /// How far one stage of a rank is. Comes behind all results of the micro-batches in these
  /// updates.
  struct Updates {
    std::int32_t rank = 0;
    std::int32_t stage = 0;
    std::int64_t made = 0;         ///< Since the start of this run.
    std::int64_t not_finite = -1;  ///< The first whose gradient was not finite; -1: all were.
  };
  Updates updates{};
};

inline std::string_view BytesOf(const TrainingReport& report) {
  static_assert(std::is_trivially_copyable_v<TrainingReport>);
  return {reinterpret_cast<const char*>(&report), sizeof report};
}

inline TrainingReport ReadTrainingReport(std::string_view bytes) {
  TrainingReport report;
  std::memcpy(&report, bytes.data(), std::min(bytes.size(), sizeof report));
  return report;
}

/// What follows the report: the bytes of a rank's result, for `ReadTrainingResult`.
inline std::string_view PayloadOf(std::string_view report_bytes) {
  return report_bytes.substr(std::min(report_bytes.size(), sizeof(TrainingReport)));
}

/// What ranks need that is not theirs. Everything must live on.
struct TrainingSetup {
  const TrainingTask* task = nullptr;
  const TrainingPlan* plan = nullptr;
  Framework* framework = nullptr;
  const Snapshot* start = nullptr;          ///< Where to go on; null for a fresh start.
  const std::atomic<bool>* stop = nullptr;  ///< Ends the job early, between two ops; may be null.
  bool own_processes = false;               ///< Ranks are processes.
  /// Which of the ranks on its machine this process is, and how many they are; all are on this one
  /// if nothing is said.
  std::optional<std::pair<std::int32_t, std::int32_t>> local{};
};

/// The work of a job that trains. The result of each rank is its part of the checkpoint, for
/// `ReadTrainingResult`: also if it was stopped early.
MakeWork TrainingWork(const TrainingSetup& setup);

/// The parts of all ranks as one snapshot.
Snapshot ReadTrainingResult(const std::vector<std::string>& results);

}  // namespace stagecraft
