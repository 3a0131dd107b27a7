#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/snapshot.h"
#include "schedules/diagnostic.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/quantity.h"
#include "tools/arguments/training_arguments.h"
#include "tools/command.h"
#include "tools/file_access.h"
#include "tools/output_claim.h"
#include "tools/reports/training_journal.h"
#include "tools/reports/training_report.h"
#include "tools/runs/good_snapshot.h"
#include "tools/runs/measured_profile.h"
#include "tools/runs/simulated_run.h"
#include "tools/runs/training_run.h"
#include "tools/runs/training_start.h"
#include "tools/terminal.h"
#include "traces/chrome_trace.h"
#include "traces/measured_stages.h"
#include "traces/profile_json.h"

namespace stagecraft {
namespace {

const char* const kFileGroup = "Files and output";

/// `stagecraft train`: executes a schedule on a real model.
class TrainCommand : public Command {
 public:
  explicit TrainCommand(CLI::App& app) {
    constexpr std::int32_t kDefaultEpochs = 5;
    app.add_option("NAME|FILE", name_,
                   "schedule to execute: a name (see `stagecraft schedules`) or a *.sched file")
        ->required();
    schedule_.AddTo(app);
    training_.AddTo(app, schedule_, kDefaultEpochs);
    receive_flag_ = AddReceive(app, receive_);
    app.add_flag(
        "--processes", processes_,
        "run each rank as a process of its own, connected by sockets, in place of a thread");

    const auto add_file = [&](const char* flag, std::string& path, const char* description) {
      app.add_option(flag, path, description)->type_name("FILE")->group(kFileGroup);
    };
    add_file("--metrics", metrics_, "write a JSON line per update");
    add_file("--trace", trace_, "write a Chrome trace of the run; gzip if it ends in .gz");
    add_file("--record", record_, "write the measured costs as a profile for `simulate`");
    add_file("--save", save_,
             "write the weights, and beside them what it takes to go on (FILE.state.safetensors); "
             "never with numbers that are not finite: then an older FILE stays, and the exit code "
             "is 3");
    add_file("--load", load_,
             "begin with these weights, of the same layers in whatever stages; if their state lies "
             "beside them, go on where they were saved");
    app.add_option(
           "--export-data", export_,
           "write the first N micro-batches for use with --data to FILE or standard output, then "
           "stop; put it after NAME")
        ->type_name("N [FILE]")
        ->expected(1, 2)
        ->group(kFileGroup);

    app.add_flag("--stop-on-nan", stops_on_nan_,
                 "end the training, with exit code 3, after the first update with a loss or "
                 "gradient that is not finite; --save then writes the last epoch's end before it, "
                 "if there was one [warn, and go on]");
    app.add_flag("--json", json_, "print JSON (train.schema.json)")->group(kFileGroup);
    app.footer(R"(Needs LibTorch. Ctrl-C finishes the op that runs, saves (--save) and says so. A
launcher that starts one process per rank (`torchrun --no-python --nproc-per-node
P stagecraft train ...`, Slurm, Open MPI) makes each process one rank; rank 0
reports.

Examples:
  stagecraft train pipeoptim -p 4 --epochs 2
  stagecraft train 1f1b -p 2 -m 4 -n 8 --model gpt --optimizer adamw --processes
  stagecraft train pipedream -p 2 -m 8 -n 2 --metrics metrics.jsonl --save digits.safetensors
)");
  }

  ExitCode Run() override {
    if (!export_.empty()) {
      return ExportData(training_.Load(name_));
    }
    CheckPaths();
    const Prepared prepared = Prepare();
    const GivenTraining& given = prepared.given;
    const TrainingPlan& plan = prepared.plan;
    const Snapshot* const start = prepared.start ? &*prepared.start : nullptr;
    const std::int32_t ranks = prepared.lowered.schedule.shape.ranks;

    // Of the processes that a launcher started, only rank 0 reports and writes.
    const std::optional<LaunchEnvironment> launch = CurrentLaunch(ranks);
    const bool reports = !launch || launch->rank == 0;
    const OutputClaims claims = reports ? ClaimOutputs() : OutputClaims();
    const Workers workers = processes_ || launch ? Workers::kProcesses : Workers::kThreads;
    const Compute& compute = given.task.compute;

    if (const auto shared = SharedGpus(compute, launch ? 1 : ranks)) {
      PrintDiagnostics({*shared});
    }
    if (reports) {
      PrintDiagnostics(prepared.warnings);
      PrintDiagnostics(
          training_.IdleFlags(prepared.lowered.schedule, given.schedule.generator != nullptr));
    }

    TrainingReporter reporter(
        given, plan,
        {.start = start,
         .metrics = reports ? metrics_ : "",
         .quiet = json_ || !reports,
         .processes = workers == Workers::kProcesses,
         .compute = compute.on_gpus ? ToString(DescribeCompute(compute, workers)) : "",
         .stops_on_nan = stops_on_nan_});
    const TrainingOutcome outcome =
        RunTraining(given.task, plan,
                    {.launch = launch,
                     .workers = workers,
                     .record = !trace_.empty() || !record_.empty(),
                     .start = start,
                     .on_report = [&](const TrainingReport& report, std::string_view payload) {
                       return reporter.Take(report, payload);
                     }});

    if (!reports) {
      return ExitCode::kFine;  // Rank 0 has it all.
    }

    reporter.Finish(outcome);
    const std::vector<Diagnostic> faults = Save(reporter, outcome);
    WriteRecords(given, plan, outcome);
    if (json_) {
      PrintJson(reporter.ToJson(outcome));
    } else {
      Print(reporter.Summary(outcome));
    }
    PrintDiagnostics(faults);
    return outcome.stopped || !faults.empty() ? ExitCode::kFailed : ExitCode::kFine;
  }

 private:
  /// What is trained, and what it goes on from.
  struct Prepared {
    std::optional<Snapshot> start;
    GivenTraining given;
    Lowered lowered;
    TrainingPlan plan;
    std::vector<Diagnostic> warnings;
  };

  /// Reads, generates and checks everything before any rank starts.
  Prepared Prepare() const {
    Prepared prepared{.start = {}, .given = {}, .lowered = {}, .plan = {}, .warnings = {}};
    auto& [start, given, lowered, plan, warnings] = prepared;
    if (!load_.empty()) {
      start = LoadSnapshot(load_, warnings);
    }
    given = LoadFor(start);
    if (start) {
      // Weights of earlier updates that do not fit are dropped, and then no piece before this run
      // is needed.
      const bool had_older = HasOlder(*start);
      FitSnapshot(*start, given, load_, warnings);
      if (HasOlder(*start) != had_older) {
        given = LoadFor(start);
      }
    }

    lowered = LowerGiven(given);
    if (given.range && !IsWindow(lowered.schedule, *given.range)) {
      given = training_.Load(name_);  // Receives that are posted earlier hide where it drains.
      lowered = LowerGiven(given);
    }

    // What the state of the snapshot must hold depends on what the plan reads.
    plan = PlanOf(given, lowered.schedule);
    if (start) {
      FitSnapshotState(*start, plan, given.task, load_, warnings);
    }

    if (start && HasOlder(*start) && !given.range) {
      warnings.push_back(WarningAt(load_,
                                   "has weights of some updates ago, which this run does not read: "
                                   "it begins with the newest"));
    }
    if (const auto left_out = LeftOutWarning(given)) {
      warnings.push_back(*left_out);
    }
    if (!record_.empty()) {
      RequireEqual(given.data.Sizes(given.per_epoch), "--record");
    }
    return prepared;
  }

  /// The plan, with the reports that `--stop-on-nan` needs.
  TrainingPlan PlanOf(const GivenTraining& given, const Schedule& lowered) const {
    TrainingPlan plan =
        PlanTraining(lowered, given.per_epoch,
                     static_cast<std::int32_t>(given.data.EvaluationMicrobatches()), given.range);
    plan.rounds = given.rounds;
    plan.rounds_per_pause = given.rounds_per_epoch;
    plan.tells_updates = stops_on_nan_;
    plan.tells_snapshots = stops_on_nan_ && !save_.empty();
    return plan;
  }

  /// Lets no other run write the same files while this object lives.
  OutputClaims ClaimOutputs() const {
    OutputClaims claims;
    claims.Add("--metrics", metrics_);
    claims.Add("--trace", trace_);
    claims.Add("--record", record_);
    claims.Add("--save", save_);
    claims.Add("--save's state", save_.empty() ? "" : StateFileOf(save_));
    return claims;
  }

  /// Takes the schedule out of `given`, adds communication and verifies.
  Lowered LowerGiven(GivenTraining& given) const {
    return LowerAndVerify(std::move(given.schedule.schedule),
                          {.receive = receive_,
                           .receive_given = !receive_flag_->empty(),
                           .generated = given.schedule.generator != nullptr});
  }

  /// Writes micro-batches in place of training.
  ExitCode ExportData(const GivenTraining& given) const {
    const std::int32_t count = FlagValue("--export-data", ParseInteger(export_[0], 1, 1'000'000));
    const std::unique_ptr<BatchSource> source = given.task.training();
    const std::string bytes = WriteSafetensors(RecordBatches(*source, count));
    if (export_.size() > 1) {
      WriteFile(export_[1], bytes);
    } else if (isatty(STDOUT_FILENO) != 0) {
      throw CommandFailure(ExitCode::kUsage, "--export-data",
                           "does not write bytes to a terminal; expected a FILE behind N, or a "
                           "redirection");
    } else {
      PrintData(bytes);
    }
    return ExitCode::kFine;
  }

  /// Finds out before hours of training, not behind them.
  void CheckPaths() const {
    for (const std::string& path : {metrics_, trace_, record_, save_}) {
      if (path == "-") {
        throw CommandFailure(ExitCode::kUsage, path,
                             "expected the name of a file, since standard output has the report");
      }
      const std::filesystem::path folder = std::filesystem::path(path).parent_path();
      std::error_code error;
      if (!folder.empty() && !std::filesystem::is_directory(folder, error)) {
        throw CommandFailure(ExitCode::kUsage, path, "cannot be written: its folder is not there");
      }
    }
  }

  /// The training, with a piece more where it goes on from another run, or one may go on from it.
  GivenTraining LoadFor(const std::optional<Snapshot>& start) const {
    return training_.Load(name_, {.before = start && HasOlder(*start), .behind = !save_.empty()});
  }

  static Diagnostic MakeDiagnostic(Severity severity, std::string where, std::string message) {
    Diagnostic diagnostic;
    diagnostic.severity = severity;
    diagnostic.where = std::move(where);
    diagnostic.message = std::move(message);
    return diagnostic;
  }

  /// Saves what is worth it, and says why that is not the end of the training, if it is not.
  std::vector<Diagnostic> Save(const TrainingReporter& reporter,
                               const TrainingOutcome& outcome) const {
    // What was trained behind a number that is not finite is worth nothing.
    if (stops_on_nan_ && reporter.Diverged()) {
      return SaveLastGood(reporter);
    }

    const std::optional<std::string> bad =
        save_.empty() ? std::nullopt : FindNotFinite(outcome.snapshot);
    if (bad) {
      return {MakeDiagnostic(Severity::kError, save_,
                             fmt::format("was not written, since '{}' is not finite at the end; {}",
                                         *bad, OlderFileStays()))};
    }

    if (!save_.empty()) {
      WriteSnapshot(outcome.snapshot);
    }

    return outcome.stopped ? std::vector{StoppedWarning()} : std::vector<Diagnostic>();
  }

  /// Ended by a number that is not finite: saves the last end of an epoch before it.
  std::vector<Diagnostic> SaveLastGood(const TrainingReporter& reporter) const {
    std::string message = ToText(*reporter.Diverged());
    if (const std::optional<Snapshot> good = save_.empty() ? std::nullopt : reporter.LastGood()) {
      WriteSnapshot(*good);
      message += fmt::format(
          "; saved to {} what was trained before micro-batch {}, the last end "
          "of an epoch at which all was",
          save_, PositionOf(*good));
    } else if (!save_.empty()) {
      message += fmt::format("; {} was not written, since no epoch had ended before: {}", save_,
                             OlderFileStays());
    }
    return {MakeDiagnostic(Severity::kError, "", std::move(message))};
  }

  std::string OlderFileStays() const {
    std::error_code error;
    return std::filesystem::exists(save_, error) ? "the file of before stays as it was"
                                                 : "there is no such file";
  }

  /// The weights, and beside them what it takes to go on.
  void WriteSnapshot(const Snapshot& snapshot) const {
    const SnapshotFiles files = ToFiles(snapshot);
    WriteFile(save_, files.weights);
    WriteFile(StateFileOf(save_), *files.state);
  }

  /// Writes the profile and the trace of a run that came to its end.
  void WriteRecords(const GivenTraining& given, const TrainingPlan& plan,
                    const TrainingOutcome& outcome) const {
    // | !outcome.recorded) {|A run that was stopped has ops that never ran.
    if (outcome.stopped || !outcome.recorded) {
      return;
    }

    const Schedule& schedule = plan.training.schedule;
    if (!record_.empty()) {
      const std::vector<MicrobatchRange> all{{0, schedule.shape.microbatches}};
      WriteFile(record_, PrintProfile(MeasuredProfile(
                             given, MeasureStages(schedule, *outcome.recorded, all))));
    }

    if (!trace_.empty()) {
      std::string text = ChromeTrace(schedule, *outcome.recorded, SizesOfStages(given));
      WriteFile(trace_, trace_.ends_with(".gz") ? Gzip(text) : text);
    }
  }

  /// What a Ctrl-C leaves.
  Diagnostic StoppedWarning() const {
    return MakeDiagnostic(
        Severity::kWarning, "",
        save_.empty() ? "stopped before the end; nothing was saved, since --save was not given"
                      : fmt::format("stopped before the end; saved to {}", save_));
  }

  std::string name_;
  ScheduleArguments schedule_;
  TrainingArguments training_;
  ReceivePolicy receive_;
  const CLI::Option* receive_flag_ = nullptr;
  bool processes_ = false;
  bool json_ = false;
  bool stops_on_nan_ = false;
  std::string metrics_, trace_, record_, save_, load_;
  std::vector<std::string> export_;
};

}  // namespace

std::unique_ptr<Command> MakeTrainCommand(CLI::App& app) {
  return std::make_unique<TrainCommand>(app);
}

}  // namespace stagecraft
