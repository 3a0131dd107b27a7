#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ranks/launch_environment.h"
#include "engine/training.h"
#include "engine/training_job.h"
#include "schedules/op_tables.h"
#include "tools/runs/compute_description.h"
#include "traces/timeline.h"

namespace stagecraft {

/// What a launcher of processes, such as torchrun, says of this process; nothing if there is none,
/// or it started only one. Throws `CommandFailure` (usage) if what it says makes no sense, or is
/// another number of ranks than `ranks`.
std::optional<LaunchEnvironment> CurrentLaunch(std::int32_t ranks);

/// How to run a training.
struct TrainingRunOptions {
  /// What started this process as one rank; nullopt: nothing did.
  std::optional<LaunchEnvironment> launch{};
  Workers workers = Workers::kThreads;  ///< Whether ranks are threads or processes.
  bool record = false;                  ///< Keeps when each op ran.
  const Snapshot* start = nullptr;      ///< What to go on from; null: new weights.
  /// Gets every report but those of clocks, and the payload behind it. False ends the job.
  std::function<bool(const TrainingReport& report, std::string_view payload)> on_report{};
};

/// What a training leaves; on ranks that a launcher started, on rank 0 only. If `on_report` ended
/// it there may be no snapshot.
struct TrainingOutcome {
  /// Weights, and what it takes to go on from them.
  Snapshot snapshot;
  std::optional<Timeline> recorded;     ///< When each op ran, if that was asked for.
  OpTable<SlotContent> reads;           ///< If recorded: the version that each op found.
  std::vector<std::int32_t> clocks;     ///< MHz that devices showed meanwhile.
  std::chrono::nanoseconds elapsed{0};  ///< Time from the start of the ranks to the last result.
  bool stopped = false;                 ///< Ctrl-C came before the end, or `on_report` ended it.
};

/// What `compute` computes on. Throws `CommandFailure` (usage) if that is not there.
ComputeDescription DescribeCompute(const Compute& compute, Workers workers);

/// A warning if ranks share GPUs, since no cost says how much slower that makes their ops; nullopt
/// if every rank has its own, or computes in main memory.
std::optional<Diagnostic> SharedGpus(const Compute& compute, std::int32_t ranks);

/// Runs `plan` with LibTorch. Until it returns, the first Ctrl-C stops it between two ops; a second
/// one ends the program. Throws `CommandFailure`: usage if there is no LibTorch, failed if a rank
/// fails.
TrainingOutcome RunTraining(const TrainingTask& task, const TrainingPlan& plan,
                            const TrainingRunOptions& options);

}  // namespace stagecraft
