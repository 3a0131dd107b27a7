#include "engine/state_fit.h"

#include <cstdint>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "traces/fault.h"

namespace stagecraft {
namespace {

/// Stages, in order, by the name of a buffer.
using StagesByName = std::map<std::string, std::set<std::int32_t>>;

/// `'last_gradient' of stages 0, 1`.
std::string ToText(const StagesByName& buffers) {
  std::vector<std::string> texts;
  for (const auto& [name, stages] : buffers) {
    texts.push_back(fmt::format("'{}' of stage{} {}", name, stages.size() == 1 ? "" : "s",
                                fmt::join(stages, ", ")));
  }
  return fmt::format("{}", fmt::join(texts, " and "));
}

std::string NameOf(const Schedule& schedule) {
  return schedule.name.empty() ? "the schedule" : schedule.name;
}

}  // namespace

std::vector<Diagnostic> FitState(Snapshot& snapshot, const TrainingTask& task,
                                 const TrainingPlan& plan, const std::string& file) {
  if (!snapshot.state) {
    return {};
  }

  // What the schedule and the optimizer need, and the state has not.
  const ExecutionPlan& training = plan.training;
  StagesByName of_optimizer, of_predictions, of_versions;
  for (const StageSlots& held : training.slots.stages) {
    for (const std::string& name : OptimizerState(task.optimizer)) {
      if (!HasState(snapshot, held.stage, name)) {
        of_optimizer[name].insert(held.stage);
      }
    }
    const StoreNeeds needs = NeedsOf(training.schedule, training.slots, held.rank, held.stage);
    for (const std::string& name : PredictionState(needs, task.optimizer)) {
      if (!HasState(snapshot, held.stage, name)) {
        of_predictions[name].insert(held.stage);
      }
    }
  }
  for (const LiveWeights& live : plan.begin) {
    for (const LiveWeights::Older older : live.older) {
      if (!HasOlder(snapshot, live.stage, older.back)) {
        of_versions[fmt::format("version-{}", older.back)].insert(live.stage);
      }
    }
  }

  // Without its own buffers an optimizer would go on as another one.
  if (!of_optimizer.empty()) {
    return {ErrorAt(file, fmt::format("was saved by a run with another optimizer: its state has no "
                                      "{}; expected the --optimizer and --momentum that it was "
                                      "saved with (or remove {} to start from the weights alone)",
                                      ToText(of_optimizer), StateFileOf(file)))};
  }
  if (!of_versions.empty()) {
    return {ErrorAt(
        file, fmt::format("has no {}, which {} reads; expected a snapshot of that "
                          "schedule (or remove {} to start from the weights alone)",
                          ToText(of_versions), NameOf(training.schedule), StateFileOf(file)))};
  }

  // A prediction needs what the last updates did: nothing is known of them yet.
  for (const auto& [name, stages] : of_predictions) {
    for (const std::int32_t stage : stages) {
      AddZeros(snapshot, stage, name,
               HostTensor{task.type, {LayoutOf(task.model, stage).elements}, {}});
    }
  }
  if (of_predictions.empty()) {
    return {};
  }
  return {WarningAt(file, fmt::format("was saved by a run that did not keep {}, with which {} "
                                      "predicts: zeros, as at the start of a run",
                                      ToText(of_predictions), NameOf(training.schedule)))};
}

}  // namespace stagecraft
