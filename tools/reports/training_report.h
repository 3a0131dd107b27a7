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

struct TrainingReportOptions {
  const Snapshot* start = nullptr;
  std::string metrics;  ///< File of the JSON lines; empty for none.
  bool quiet = false;   ///< Nothing on standard output before the end.
  bool processes = false;
  std::string compute;        ///< What computes, if that is to be said.
  bool stops_on_nan = false;  ///< The first number that is not finite ends the job.
};

/// Says if an epoch leaves out micro-batches of a data file, since they do not fill an update.
std::optional<Diagnostic> LeftOutWarning(const GivenTraining& given);

/// The same of a data set, which is no fault: a line, or nothing.
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

  /// False if the job is to end: `payload` follows the report.
  bool Take(const TrainingReport& report, std::string_view payload);

  /// No more reports will come. `snapshot`: what the job left, if anything.
  void Finish(const TrainingOutcome& outcome);

  /// The first number that is not finite, if there was one.
  const std::optional<Divergence>& Diverged() const { return divergence_; }
  /// The last snapshot, at an epoch's end, before which everything was finite.
  std::optional<Snapshot> LastGood() const;

  std::string Summary(const TrainingOutcome& outcome) const;
  nlohmann::ordered_json ToJson(const TrainingOutcome& outcome) const;

 private:
  void Write(const UpdateResult& update);
  void Write(const EpochResult& epoch);
  std::string Header() const;
  /// Passes over the data up to the end of `epoch`.
  double PassesAt(const EpochResult& epoch) const;
  void TellOf(const Divergence& divergence);
  void ClearProgress() const;
  void ShowProgress();
  std::int64_t MicrobatchesInAll() const;

  const GivenTraining& given_;
  const TrainingPlan& plan_;
  TrainingReportOptions options_;
  TrainingJournal journal_;
  GoodSnapshots good_;
  OpenedFile metrics_;
  std::optional<Divergence> divergence_;
  std::vector<EpochResult> epochs_;
  std::int64_t updates_ = 0;
  std::chrono::steady_clock::time_point begin_, shown_;
  bool has_progress_ = false;
};

}  // namespace stagecraft
