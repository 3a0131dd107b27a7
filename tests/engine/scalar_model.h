#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/executor.h"

namespace stagecraft::test {

/// A model small enough to be followed by hand: stage k computes y = w x with one weight, micro-
/// batch q is x = 1 + q / 8, the gradient of the last output is the output itself. SGD with
/// momentum 0.5 and rate 1/64; a prediction moves on by the momentum once per update. Exact in
/// order: other orders of the same sums give other bits.
struct ScalarStage {
  double momentum = 0;
  double gradient = 0;

  static double Initial(std::int32_t stage) { return 1 + stage / 16.0; }
  static double Input(std::int32_t microbatch) { return 1 + microbatch / 8.0; }

  double Stepped(double weight, std::int64_t microbatches) {
    momentum = 0.5 * momentum + gradient / static_cast<double>(microbatches);
    gradient = 0;
    return weight - momentum / 64;
  }
  double Predicted(double weight, std::int32_t horizon) const {
    return weight - horizon * momentum / 64;
  }
};

/// What a run leaves behind: the newest weight by stage and rank, the output of each micro-batch.
struct ScalarResult {
  std::map<std::pair<std::int32_t, std::int32_t>, double> weights;
  std::map<std::int32_t, double> outputs;

  friend bool operator==(const ScalarResult&, const ScalarResult&) = default;
};

/// A line per figure, exact, sorted.
std::vector<std::string> Lines(const ScalarResult& result);

/// The second, obvious implementation: goes through all ops in one thread, in an order in which
/// they can run, and keeps a copy of every version and prediction that ever was.
ScalarResult InterpretScalar(const Schedule& lowered);

/// The same through `RunAsThreads`.
ScalarResult ExecuteScalar(const ExecutionPlan& plan, Recorder* recorder = nullptr);

/// The parts of the scalar model on one rank. When the run is over, `result` has the outputs of the
/// last stage and the newest weights.
std::map<std::int32_t, StagePart> ScalarParts(const ExecutionPlan& plan, std::int32_t rank,
                                              ScalarResult& result);

}  // namespace stagecraft::test
