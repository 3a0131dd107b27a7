#include "tools/training_run.h"

#include <atomic>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "engine/framework_loader.h"
#include "engine/process_job.h"
#include "engine/thread_job.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

/// Set by Ctrl-C. Of the whole process, as signals are; each forked rank has its own.
std::atomic<bool> stop_requested{
    false};  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
static_assert(std::atomic<bool>::is_always_lock_free);

/// While it lives, the first SIGINT or SIGTERM only asks to stop.
class StopOnSignal {
 public:
  StopOnSignal() {
    stop_requested = false;
    struct sigaction action {};
    action.sa_handler = [](int) { stop_requested = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &action, &old_interrupt_);
    sigaction(SIGTERM, &action, &old_terminate_);
  }
  ~StopOnSignal() {
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGTERM, &old_terminate_, nullptr);
  }
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

Framework& Load() {
  try {
    return LoadFramework();
  } catch (const NoFramework& error) {
    throw CommandFailure(ExitCode::kUsage, "", error.what());
  }
}

}  // namespace

TrainingOutcome RunTraining(const TrainingTask& task, const TrainingPlan& plan,
                            const TrainingRunOptions& options) {
  Framework& framework = Load();
  Recorder recorder(plan.training.schedule);
  const MakeWork work = TrainingWork({.task = &task,
                                      .plan = &plan,
                                      .framework = &framework,
                                      .start = options.start,
                                      .stop = &stop_requested});
  JobOptions job;
  job.recorder = options.record ? &recorder : nullptr;
  job.stop = &stop_requested;
  if (options.on_report) {
    job.on_report = [&](std::int32_t, std::string_view bytes) {
      options.on_report(ReadTrainingReport(bytes));
    };
  }
  const StopOnSignal stop_on_signal;
  TrainingOutcome outcome;
  const Clock::time_point begin = Clock::now();
  try {
    outcome.snapshot = ReadTrainingResult(options.workers == Workers::kThreads
                                              ? RunAsThreads(plan.training, work, job)
                                              : RunAsProcesses(plan.training, work, job));
  } catch (const JobError& error) {
    throw CommandFailure(ExitCode::kFailed, "", error.what());
  }
  outcome.elapsed = Clock::now() - begin;
  outcome.stopped = !WasDrained(outcome.snapshot);
  if (options.record) {
    outcome.recorded = recorder.Recorded();
    outcome.reads = recorder.Reads();
  }
  return outcome;
}

}  // namespace stagecraft
