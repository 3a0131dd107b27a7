#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tools/arguments/training_arguments.h"
#include "tools/file_access.h"
#include "tools/reports/training_journal.h"
#include "tools/runs/good_snapshot.h"
#include "tools/runs/training_run.h"

namespace stagecraft {

/// What a reporter tells, and to whom.
struct TrainingReportOptions {
  const Snapshot* start = nullptr;  ///< What the run goes on from; null: new weights.
  std::string metrics;              ///< File of the JSON lines; empty: none.
  bool quiet = false;               ///< Nothing goes to standard output before the end.
  bool processes = false;           ///< Whether ranks are processes, not threads; for the header.
  std::string compute;              ///< What computes; empty: the header does not say it.
  bool stops_on_nan = false;        ///< Whether the first number that is not finite ends the job.
};

/// Says if an epoch leaves out micro-batches of a data file, since they do not fill an update.
std::optional<Diagnostic> LeftOutWarning(const GivenTraining& given);

/// The same for a data set. It is no fault there, since every epoch shuffles anew and leaves out
/// others; empty if nothing is left out.
std::string LeftOutToText(const GivenTraining& given);

/// Says how a training goes: a line per epoch on standard output, progress with rate and time left
/// on a terminal's standard error, JSON lines of every update in a file, a summary; and a warning
/// at the first number that is not finite.
class TrainingReporter {
 public:
  /// Throws `CommandFailure` if the metrics' file cannot be written.
  TrainingReporter(const GivenTraining& given, const TrainingPlan& plan,
                   const TrainingReportOptions& options);
  ~TrainingReporter();
  TrainingReporter(const TrainingReporter&) = delete;
  TrainingReporter& operator=(const TrainingReporter&) = delete;

  /// Takes a report and the `payload` that follows it. False if the job is to end.
  bool Take(const TrainingReport& report, std::string_view payload);

  /// No more reports will come: looks for numbers that are not finite in the weights that the job
  /// left.
  void Finish(const TrainingOutcome& outcome);

  /// The first number that is not finite, if there was one.
  const std::optional<Divergence>& Diverged() const { return divergence_; }
  /// The last snapshot, at an epoch's end, before which everything was finite.
  std::optional<Snapshot> LastGood() const;

  /// The last lines of the text: rate, staleness, weight copies, and where the training diverged.
  std::string Summary(const TrainingOutcome& outcome) const;
  /// The report of `train --json`; see `train.schema.json`.
  nlohmann::ordered_json ToJson(const TrainingOutcome& outcome) const;

 private:
  /// Adds a line to the metrics' file. Throws `CommandFailure` (failed) if that cannot be written.
  void Write(const UpdateResult& update);
  /// Prints a line for the epoch.
  void Write(const EpochResult& epoch);
  /// What is trained, on what, and how large it is.
  std::string Header() const;
  /// Passes over the data up to the end of `epoch`.
  double PassesAt(const EpochResult& epoch) const;
  /// Notes and warns of the first number that is not finite.
  void TellOf(const Divergence& divergence);
  /// Removes the line of progress, if there may be one.
  void ClearProgress() const;
  /// Shows the progress, at most five times a second and from two seconds on.
  void ShowProgress();
  std::int64_t MicrobatchesInAll() const;

  const GivenTraining& given_;
  const TrainingPlan& plan_;
  TrainingReportOptions options_;
  TrainingJournal journal_;
  GoodSnapshots good_;  ///< Snapshots of epochs' ends, for `LastGood`.
  OpenedFile metrics_;  ///< Null without `--metrics`.
  /// The first number that is not finite, once it was told.
  std::optional<Divergence> divergence_;
  std::vector<EpochResult> epochs_;  ///< All epochs so far, for the JSON at the end.
  std::int64_t updates_ = 0;         ///< Updates that were told.
  /// When the run began, and when progress was last shown.
  std::chrono::steady_clock::time_point begin_, shown_;
  bool has_progress_ = false;  ///< Whether a line of progress may stand on the terminal.
};

}  // namespace stagecraft
