#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tools/training_arguments.h"
#include "tools/training_journal.h"
#include "tools/training_run.h"

namespace stagecraft {

struct TrainingReportOptions {
  const Snapshot* start = nullptr;
  std::string metrics;  ///< File of the JSON lines; empty for none.
  bool quiet = false;   ///< Nothing on standard output before the end.
  bool processes = false;
  std::string compute;  ///< What computes, if that is to be said.
};

/// Says how a training goes: a line per epoch on standard output, progress with rate and time left
/// on a terminal's standard error, JSON lines of every update in a file, a summary.
class TrainingReporter {
 public:
  /// Throws `CommandFailure` if the metrics' file cannot be written.
  TrainingReporter(const GivenTraining& given, const TrainingPlan& plan,
                   const TrainingReportOptions& options);
  ~TrainingReporter();
  TrainingReporter(const TrainingReporter&) = delete;
  TrainingReporter& operator=(const TrainingReporter&) = delete;

  void Take(const TrainingReport& report);

  std::string Summary(const TrainingOutcome& outcome) const;
  nlohmann::ordered_json ToJson(const TrainingOutcome& outcome) const;

 private:
  void Write(const UpdateResult& update);
  void Write(const EpochResult& epoch);
  void ShowProgress();
  std::int64_t MicrobatchesInAll() const;

  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  const GivenTraining& given_;
  const TrainingPlan& plan_;
  TrainingReportOptions options_;
  TrainingJournal journal_;
  std::unique_ptr<std::FILE, CloseFile> metrics_;
  std::vector<EpochResult> epochs_;
  std::int64_t updates_ = 0;
  std::chrono::steady_clock::time_point begin_, shown_;
  bool has_progress_ = false;
};

}  // namespace stagecraft
