#include "engine/state_fit.h"

#include <cstdint>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/diagnostic.h"

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

/// What the schedule and the optimizer need, and a state has not.
struct Missing {
  StagesByName of_optimizer, of_predictions, of_versions;
};

Missing MissingFrom(const Snapshot& snapshot, const OptimizerOptions& optimizer,
                    const TrainingPlan& plan) {
  Missing missing;
  const auto check = [&](std::int32_t stage, const std::vector<std::string>& names,
                         StagesByName& lacking) {
    for (const std::string& name : names) {
      if (!HasState(snapshot, stage, name)) {
        lacking[name].insert(stage);
      }
    }
  };

  const ExecutionPlan& training = plan.training;
  for (const StageSlots& held : training.slots.stages) {
    const StoreNeeds needs = NeedsOf(training.schedule, training.slots, held.rank, held.stage);
    check(held.stage, OptimizerState(optimizer), missing.of_optimizer);
    check(held.stage, PredictionState(needs, optimizer), missing.of_predictions);
  }
  for (const LiveWeights& live : plan.begin) {
    for (const LiveWeights::Older older : live.older) {
      if (!HasOlder(snapshot, live.stage, older.back)) {
        missing.of_versions[fmt::format("version-{}", older.back)].insert(live.stage);
      }
    }
  }
  return missing;
}

}  // namespace

std::vector<Diagnostic> FitState(Snapshot& snapshot, const TrainingTask& task,
                                 const TrainingPlan& plan, const std::string& file) {
  if (!snapshot.state) {
    return {};
  }
  const Missing missing = MissingFrom(snapshot, task.optimizer, plan);
  const std::string schedule = NameOf(plan.training.schedule);

  // Without its own buffers an optimizer would go on as another one.
  if (!missing.of_optimizer.empty()) {
    return {ErrorAt(file, fmt::format("was saved by a run with another optimizer: its state has no "
                                      "{}; expected the --optimizer and --momentum that it was "
                                      "saved with (or remove {} to start from the weights alone)",
                                      ToText(missing.of_optimizer), StateFileOf(file)))};
  }
  if (!missing.of_versions.empty()) {
    return {ErrorAt(file, fmt::format("has no {}, which {} reads; expected a snapshot of that "
                                      "schedule (or remove {} to start from the weights alone)",
                                      ToText(missing.of_versions), schedule, StateFileOf(file)))};
  }
  if (missing.of_predictions.empty()) {
    return {};
  }

  // A prediction needs what the last updates did: nothing is known of them yet.
  for (const auto& [name, stages] : missing.of_predictions) {
    for (const std::int32_t stage : stages) {
      AddZeros(snapshot, stage, name,
               HostTensor{task.type, {LayoutOf(task.model, stage).elements}, {}});
    }
  }
  return {WarningAt(file, fmt::format("was saved by a run that did not keep {}, with which {} "
                                      "predicts: zeros, as at the start of a run",
                                      ToText(missing.of_predictions), schedule))};
}

}  // namespace stagecraft
