#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/batches.h"
#include "engine/job.h"
#include "engine/learning_rate.h"
#include "engine/model_stage.h"
#include "engine/optimizer.h"
#include "engine/snapshot.h"
#include "schedules/drains.h"
#include "schedules/window.h"

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
  /// Makes the data of one rank; called on the rank's thread. `evaluation` may be empty.
  std::function<std::unique_ptr<BatchSource>()> training, evaluation;
};

/// A schedule and where its run pauses.
struct TrainingPlan {
  ExecutionPlan training;
  std::int32_t rounds = 1;    ///< How often it runs; each goes on with the newest weights.
  std::vector<Drain> pauses;  ///< Of each round, ascending; the last is the end.
  std::optional<ExecutionPlan> evaluation;  ///< Runs at each pause.
  std::vector<LiveWeights> begin, end;      ///< What a round finds, and what it leaves.
};

/// Pauses wherever the pipeline is empty after a multiple of `every` micro-batches (0: never), and
/// at the end. Evaluates `evaluation_microbatches` at each, if there are any. Requires
/// `Verify(lowered)` empty, with all its SENDs and RECVs.
///
/// With a `range`, which `CutWindow` says what to expect of, only its micro-batches are trained:
/// with what comes before, the run may go on from a snapshot that has older versions; with what
/// comes behind, its own snapshot has them. If `begin` then names older versions, only a snapshot
/// that has them may be the start.
TrainingPlan PlanTraining(const Schedule& lowered, std::int32_t every,
                          std::int32_t evaluation_microbatches,
                          std::optional<MicrobatchRange> range = std::nullopt);

/// The same for processes that would train to the same bits, if they have the same data: schedule,
/// model, optimizer, seed.
std::uint64_t FingerprintOf(const TrainingTask& task, const TrainingPlan& plan);

/// What a rank tells while it trains, as the bytes of a job's report.
struct TrainingReport {
  enum class Kind : std::uint8_t { kTraining, kEvaluation, kClock };
  Kind kind = Kind::kTraining;
  std::int32_t pause = 0;  ///< Of an evaluation: how many pauses came before, over all rounds.
  MicrobatchResult result;
  std::int32_t clock = 0;  ///< MHz of the rank's device, at the begin and end of a round.
};
std::string_view BytesOf(const TrainingReport& report);
TrainingReport ReadTrainingReport(std::string_view bytes);

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
