#include "tools/runs/training_run.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/framework_loader.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

/// Throws `CommandFailure` (usage) if there is no LibTorch, or no GPU where one is asked for.
Framework& Load(const Compute& compute) {
  try {
    Framework& framework =
        LoadFramework(compute.on_gpus ? FrameworkKind::kGpus : FrameworkKind::kMainMemory);
    if (compute.on_gpus) {
      const DevicesFound found = framework.FindDevices();
      if (found.count == 0) {
        throw CommandFailure(
            ExitCode::kUsage, "--device cuda",
            fmt::format("found no GPU: {}; expected one, or --device cpu", found.text));
      }
      framework.SetDeviceOptions(compute.options);
    }
    return framework;
  } catch (const NoFramework& error) {
    throw CommandFailure(ExitCode::kUsage, compute.on_gpus ? "--device cuda" : "", error.what());
  }
}

}  // namespace

std::optional<LaunchEnvironment> CurrentLaunch(std::int32_t ranks) {
  Result<std::optional<LaunchEnvironment>> read =
      ReadLaunchEnvironment([](const std::string& name) -> std::optional<std::string> {
        const char* const value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
      });
  if (!read) {
    throw CommandFailure(ExitCode::kUsage, std::move(read.diagnostics));
  }
  std::optional<LaunchEnvironment> launch = *std::move(read.value);
  if (!launch || launch->ranks == 1) {
    return std::nullopt;
  }
  if (launch->ranks != ranks) {
    throw CommandFailure(ExitCode::kUsage, "",
                         fmt::format("{} started {} processes, but the schedule has {} ranks; "
                                     "expected one for each",
                                     launch->launcher, launch->ranks, ranks));
  }
  return launch;
}

std::string DescribeCompute(const Compute& compute, Workers workers) {
  Framework& framework = Load(compute);
  if (!compute.on_gpus) {
    return framework.Version();
  }
  return fmt::format("{}, {}{}{}, TF32 {}, {}", framework.Version(), framework.FindDevices().text,
                     workers == Workers::kProcesses ? ", " : "",
                     workers == Workers::kProcesses ? framework.GetNccl()->Version() : "",
                     compute.options.tf32 ? "on" : "off",
                     compute.options.deterministic ? "deterministic" : "not deterministic");
}

std::optional<Diagnostic> SharedGpus(const Compute& compute, std::int32_t ranks) {
  const std::int32_t gpus = compute.on_gpus ? Load(compute).FindDevices().count : ranks;
  if (gpus >= ranks) {
    return std::nullopt;
  }
  Diagnostic warning;
  warning.severity = Severity::kWarning;
  warning.message = fmt::format(
      "{} ranks share {} GPU{}: their ops run at the same time and slow each other down, which no "
      "cost says; as many ranks as GPUs give times that can be predicted",
      ranks, gpus, gpus == 1 ? "" : "s");
  return warning;
}

TrainingOutcome RunTraining(const TrainingTask& task, const TrainingPlan& plan,
                            const TrainingRunOptions& options) {
  Framework& framework = Load(task.compute);

  // Who computes, on what, and what stops it early.
  Recorder recorder(plan.training.schedule);
  const TrainingSetup setup{.task = &task,
                            .plan = &plan,
                            .framework = &framework,
                            .start = options.start,
                            .stop = &StopOnSignal::Requested()};
  const TrainingRanks ranks{
      .workers = options.workers, .launch = options.launch, .on_refused = [](const auto& what) {
        Diagnostic warning;
        warning.severity = Severity::kWarning;
        warning.message = what;
        PrintDiagnostics({std::move(warning)});
      }};

  // What the job tells us while it runs.
  TrainingOutcome outcome;
  bool ended = false;  // By whoever hears the reports.
  JobOptions job;
  job.recorder = options.record ? &recorder : nullptr;
  job.stop = &StopOnSignal::Requested();
  job.on_report = [&](std::int32_t, std::string_view bytes) {
    const TrainingReport report = ReadTrainingReport(bytes);
    if (report.kind == TrainingReport::Kind::kClock) {
      outcome.clocks.push_back(report.clock);
    } else if (!ended && options.on_report && !options.on_report(report, PayloadOf(bytes))) {
      ended = true;
      StopOnSignal::Request();
    }
  };

  const StopOnSignal stop_on_signal;
  const Clock::time_point begin = Clock::now();
  try {
    const std::vector<std::string> results = RunTrainingJob(setup, ranks, job);
    if (results.empty()) {
      return outcome;  // A launched rank other than 0: rank 0 has everything.
    }
    outcome.snapshot = ReadTrainingResult(results);
  } catch (const JobError& error) {
    if (!ended) {  // Ranks that others have started only see that the job is over.
      throw CommandFailure(ExitCode::kFailed, "", error.what());
    }
  }

  outcome.elapsed = Clock::now() - begin;
  outcome.stopped = ended || !WasDrained(outcome.snapshot);
  if (options.record) {
    outcome.recorded = recorder.Recorded();
    outcome.reads = recorder.Reads();
  }
  return outcome;
}

}  // namespace stagecraft
