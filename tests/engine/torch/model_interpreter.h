#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/training.h"

namespace stagecraft::test {

/// What a training leaves behind: the newest weights by name, and the loss of each micro-batch. In
/// double, which holds every float.
struct TrainedModel {
  std::map<std::string, std::vector<double>> weights;
  std::map<std::int64_t, double> losses;
  std::map<std::int64_t, MicrobatchResult> evaluations;  ///< Of the last pause.
};

/// The second, obvious implementation: goes through all ops in one thread, in an order in which
/// they can run. It keeps a full copy of every version and prediction that ever was, and copies it
/// into the parameters before each op that reads it. Optimizers are loops over one element at a
/// time, from the formulas of torch.optim's documentation.
TrainedModel InterpretTraining(const Schedule& lowered, const TrainingTask& task);

/// The same by the executor; `processes`: in processes of their own.
TrainedModel ExecuteTraining(const TrainingPlan& plan, const TrainingTask& task,
                             bool processes = false, Recorder* recorder = nullptr);

/// The weights of a snapshot.
TrainedModel ToTrainedModel(const Snapshot& snapshot);

/// Empty if both are equal, bit for bit; else the first difference.
std::string Difference(const TrainedModel& a, const TrainedModel& b);

}  // namespace stagecraft::test
