#include "tools/runs/training_start.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "engine/recut.h"
#include "engine/state_fit.h"
#include "schedules/diagnostic.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/option_flags.h"
#include "tools/command.h"
#include "tools/file_access.h"
#include "tools/runs/good_snapshot.h"

namespace stagecraft {
namespace {

/// Whether the tensors are cut into the same stages: their names tell.
bool HaveTheSameNames(const Safetensors& a, const Safetensors& b) {
  return std::equal(a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

}  // namespace

Snapshot LoadSnapshot(const std::string& file, std::vector<Diagnostic>& warnings) {
  SnapshotFiles files{ReadFile(file), std::nullopt};
  std::error_code error;
  if (std::filesystem::exists(StateFileOf(file), error)) {
    files.state = ReadFile(StateFileOf(file));
  }
  Result<Snapshot> snapshot = FromFiles(files, file);
  if (!snapshot) {
    throw CommandFailure(ExitCode::kUsage, std::move(snapshot.diagnostics));
  }

  // None of this keeps a training from going on.
  if (!WasDrained(*snapshot.value)) {
    warnings.push_back(WarningAt(
        file, fmt::format("was saved in the middle of a run: what was in flight is lost, stages "
                          "may be some updates apart, and training goes on with micro-batch {}",
                          PositionOf(*snapshot.value))));
  }
  if (const std::optional<std::string> bad = FindNotFinite(*snapshot.value)) {
    warnings.push_back(WarningAt(
        file,
        fmt::format("'{}' has a number that is not finite: so will be what is trained from it",
                    *bad)));
  }
  return *std::move(snapshot.value);
}

void FitSnapshot(Snapshot& snapshot, const GivenTraining& given, const std::string& file,
                 std::vector<Diagnostic>& warnings) {
  Result<Snapshot> fitted = Recut(snapshot, given.task.model, given.task.type, file);
  if (!fitted) {
    for (Diagnostic& fault : fitted.diagnostics) {
      fault.message = WithFlags(std::move(fault.message));
    }
    throw CommandFailure(ExitCode::kUsage, std::move(fitted.diagnostics));
  }
  std::move(fitted.diagnostics.begin(), fitted.diagnostics.end(), std::back_inserter(warnings));

  if (given.task.optimizer.clip_norm > 0 &&
      !HaveTheSameNames(fitted.value->weights, snapshot.weights)) {
    warnings.push_back(WarningAt(file,
                                 "was cut into other stages: --clip, which measures each stage by "
                                 "itself, clips otherwise from here"));
  }
  // The position counts micro-batches, whose number in an epoch may have changed.
  if (!FitPosition(*fitted.value, given.per_epoch)) {
    warnings.push_back(WarningAt(
        file, fmt::format("was saved within an epoch that had other micro-batches: training goes "
                          "on with number {} of epochs of {}",
                          PositionOf(*fitted.value), given.per_epoch)));
  }
  snapshot = *std::move(fitted.value);
}

void FitSnapshotState(Snapshot& snapshot, const TrainingPlan& plan, const TrainingTask& task,
                      const std::string& file, std::vector<Diagnostic>& warnings) {
  std::vector<Diagnostic> said = FitState(snapshot, task, plan, file);
  if (HasErrors(said)) {
    throw CommandFailure(ExitCode::kUsage, std::move(said));
  }
  std::move(said.begin(), said.end(), std::back_inserter(warnings));
}

}  // namespace stagecraft
