#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ranks/job.h"
#include "engine/ranks/launch_environment.h"
#include "engine/training.h"

namespace stagecraft {

/// What the ranks of a job are: threads of this process, or processes that it forks.
enum class Workers : std::uint8_t { kThreads, kProcesses };

inline std::vector<std::string_view> NamesOf(Workers /*workers*/) {
  return {"threads", "processes"};
}

/// Where the ranks of a training run.
struct TrainingRanks {
  Workers workers = Workers::kThreads;
  /// A launcher started one process per rank, and this is one of them; `workers` does not count.
  std::optional<LaunchEnvironment> launch{};
  /// Told why a stranger's connection was refused, which does no harm. Launched ranks only.
  std::function<void(const std::string&)> on_refused = [](const std::string&) {};
};

/// Runs the training that `setup` describes and returns the result of each rank, for
/// `ReadTrainingResult`. Of launched ranks only rank 0 returns them, the others return nothing.
///
/// `setup` and `job` say everything but what follows from `ranks`: which ranks share this machine,
/// and how the GPUs of several processes are connected. Throws what `RunAsThreads`,
/// `RunAsProcesses` and `RunAsPeer` throw.
std::vector<std::string> RunTrainingJob(TrainingSetup setup, const TrainingRanks& ranks,
                                        JobOptions job);

}  // namespace stagecraft
