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
  std::optional<LaunchEnvironment> launch{};  ///< Then this process is one rank.
  Workers workers = Workers::kThreads;
  bool record = false;  ///< Keeps when each op ran.
  const Snapshot* start = nullptr;
  /// Told all but clocks; what follows a report is its `PayloadOf`. False ends the job.
  std::function<bool(const TrainingReport& report, std::string_view payload)> on_report{};
};

/// What a training leaves; on ranks that a launcher started, on rank 0 only. If `on_report` ended
/// it there may be no snapshot.
struct TrainingOutcome {
  Snapshot snapshot;
  std::optional<Timeline> recorded;
  OpTable<SlotContent> reads;        ///< If recorded: the version that each op found.
  std::vector<std::int32_t> clocks;  ///< MHz that devices showed meanwhile.
  std::chrono::nanoseconds elapsed{0};
  bool stopped = false;  ///< Ctrl-C came before the end, or `on_report` ended it.
};

/// What `compute` computes on. Throws `CommandFailure` (usage) if that is not there.
ComputeDescription DescribeCompute(const Compute& compute, Workers workers);

/// What is to be said of ranks that share GPUs; nothing if none do.
std::optional<Diagnostic> SharedGpus(const Compute& compute, std::int32_t ranks);

/// Runs `plan` with LibTorch. Until it returns, the first Ctrl-C stops it between two ops; a second
/// one ends the program. Throws `CommandFailure`: usage if there is no LibTorch, failed if a rank
/// fails.
TrainingOutcome RunTraining(const TrainingTask& task, const TrainingPlan& plan,
                            const TrainingRunOptions& options);

}  // namespace stagecraft
