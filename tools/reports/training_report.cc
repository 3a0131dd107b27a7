#include "tools/reports/training_report.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "schedules/staleness.h"
#include "schedules/visible_text.h"
#include "tools/arguments/quantity.h"
#include "tools/command.h"
#include "tools/reports/run_report.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// Updates that `stage` had made when the snapshot was taken; 0 without one.
std::int64_t UpdatesOf(const Snapshot* start, std::int32_t stage) {
  return start == nullptr ? 0 : UpdatesOf(*start, stage);
}

/// The sign of a NaN means nothing, and is not shown.
double WithoutSign(double loss) {
  return std::isnan(loss) ? std::abs(loss) : loss;
}

/// By stage; 0 where there is no steady state.
std::vector<std::int32_t> SteadyStaleness(const Schedule& schedule) {
  std::vector<std::int32_t> staleness;
  for (const StageStaleness& of_stage : FindStaleness(schedule)) {
    staleness.push_back(of_stage.steady.value_or(0));
  }
  return staleness;
}

MicrobatchSizes Sizes(const GivenTraining& given) {
  return given.data.Sizes(given.per_epoch);
}

/// A number if all are equal, else the smallest and the largest.
nlohmann::ordered_json SizesToJson(const MicrobatchSizes& sizes) {
  if (sizes.AreEqual()) {
    return sizes.largest;
  }
  return nlohmann::ordered_json::array({sizes.smallest, sizes.largest});
}

std::string Times(std::int32_t count) {
  return count == 1 ? "once" : fmt::format("{} times", count);
}

/// `3`, or `0.18` where a run ends within a pass over the data.
std::string PassesText(double passes) {
  constexpr double kSmallest = 0.01;
  if (passes == std::floor(passes)) {
    return fmt::format("{:.0f}", passes);
  }
  return passes < kSmallest ? fmt::format("{:.1g}", passes) : fmt::format("{:.2f}", passes);
}

/// A run that goes on continues the numbers of the one before.
JournalStart StartOf(const TrainingPlan& plan, const GivenTraining& given, const Snapshot* start) {
  return {.microbatch = start == nullptr ? 0 : PositionOf(*start),
          .update = UpdatesOf(start, plan.training.schedule.shape.stages - 1),
          .has_accuracy = given.task.loss == Loss::kCrossEntropy};
}

}  // namespace

std::optional<Diagnostic> LeftOutWarning(const GivenTraining& given) {
  const TrainingData& data = given.data;
  if (!data.recorded || given.per_epoch == data.microbatches) {
    return std::nullopt;
  }

  // Named as in the file.
  const std::string first = fmt::format("x.{}", given.per_epoch);
  const std::string last = fmt::format("x.{}", data.microbatches - 1);

  Diagnostic warning;
  warning.severity = Severity::kWarning;
  warning.where = data.name;
  warning.message = fmt::format(
      "has {} micro-batches, of which an epoch takes the first {}, as many as fill its updates and "
      "batches; {} left out",
      data.microbatches, given.per_epoch,
      first == last ? first + " is" : fmt::format("{} to {} are", first, last));
  return warning;
}

std::string LeftOutToText(const GivenTraining& given) {
  const std::int64_t used = given.data.SamplesOfEpoch(given.per_epoch);
  if (given.data.recorded || used >= given.data.Samples()) {
    return "";
  }
  return fmt::format("an epoch: {} of {} samples, as many as fill its updates\n", used,
                     given.data.Samples());
}

TrainingReporter::TrainingReporter(const GivenTraining& given, const TrainingPlan& plan,
                                   const TrainingReportOptions& options)
    : given_(given),
      plan_(plan),
      options_(options),
      journal_(plan, given.task.learning_rate, StartOf(plan, given, options.start),
               options.stops_on_nan ? TrainingJournal::WhenDiverged::kEnds
                                    : TrainingJournal::WhenDiverged::kGoesOn),
      good_(plan.training.schedule.shape.ranks),
      begin_(Clock::now()),
      shown_(begin_) {
  if (!options_.metrics.empty()) {
    metrics_ = OpenForLines(options_.metrics);
  }

  // The journal puts reports in order; what it tells is final.
  journal_.on_update = [this](const UpdateResult& update) { Write(update); };
  journal_.on_epoch = [this](const EpochResult& epoch) { Write(epoch); };
  journal_.on_divergence = [this](const Divergence& divergence) { TellOf(divergence); };

  if (!options_.quiet) {
    Print(Header());
    FlushOutput();
  }
}

std::string TrainingReporter::Header() const {
  const Schedule& schedule = plan_.training.schedule;
  std::string text = fmt::format("{}: {} ranks, {} stages, {} micro-batches of {} samples, as {}\n",
                                 ShownName(schedule), schedule.shape.ranks, schedule.shape.stages,
                                 MicrobatchesInAll(), ToText(Sizes(given_)),
                                 options_.processes ? "processes" : "threads");
  // A generated schedule is as long as the training; a file runs as often as needed.
  if (given_.schedule.generator == nullptr) {
    text += fmt::format("the file runs {}, {} per epoch\n", Times(plan_.rounds),
                        Times(given_.rounds_per_epoch));
  }

  text += LeftOutToText(given_);
  text += fmt::format("{}: {} parameters\n", Visible(given_.task.model.name),
                      ParameterCount(given_.task.model));
  return text + (options_.compute.empty() ? "" : options_.compute + "\n");
}

double TrainingReporter::PassesAt(const EpochResult& epoch) const {
  return static_cast<double>(epoch.end) / static_cast<double>(given_.per_epoch);
}

TrainingReporter::~TrainingReporter() {
  ClearProgress();
}

void TrainingReporter::ClearProgress() const {
  if (has_progress_) {
    ShowProgressLine("");
  }
}

bool TrainingReporter::Take(const TrainingReport& report, std::string_view payload) {
  if (report.kind == TrainingReport::Kind::kSnapshot) {
    good_.Take(report, payload);
  } else {
    journal_.Take(report);
    ShowProgress();
  }
  return !journal_.IsOver();
}

void TrainingReporter::Finish(const TrainingOutcome& outcome) {
  journal_.Finish();
  if (!divergence_ && !outcome.stopped && FindNotFinite(outcome.snapshot)) {
    TellOf({.update =
                UpdatesOf(options_.start, plan_.training.schedule.shape.stages - 1) + updates_ - 1,
            .what = Divergence::What::kWeights,
            .microbatch = PositionOf(outcome.snapshot) - 1});
  }
}

std::optional<Snapshot> TrainingReporter::LastGood() const {
  // Counts the pauses whose updates all come before the one in which something was not finite.
  const std::int64_t first = UpdatesOf(options_.start, plan_.training.schedule.shape.stages - 1);
  const std::int64_t all = journal_.Watch().Pauses();
  std::int64_t pauses = 0;
  while (divergence_ && pauses < all &&
         first + journal_.Watch().UpdatesBefore(pauses) <= divergence_->update) {
    ++pauses;
  }
  return good_.LastOf(pauses);
}

void TrainingReporter::TellOf(const Divergence& divergence) {
  divergence_ = divergence;
  ClearProgress();
  Diagnostic warning;
  warning.severity = Severity::kWarning;
  warning.message =
      ToText(divergence) + (options_.stops_on_nan
                                ? "; --stop-on-nan ends the training here"
                                : "; the training goes on, but is not worth much from here "
                                  "(--stop-on-nan would end it)");
  PrintDiagnostics({std::move(warning)});
}

void TrainingReporter::Write(const UpdateResult& update) {
  ++updates_;
  if (metrics_) {
    const std::string line = ToJsonLine(update);
    if (std::fputs(line.c_str(), metrics_.get()) < 0 || std::fflush(metrics_.get()) != 0) {
      throw CommandFailure(ExitCode::kFailed, options_.metrics,
                           "writing failed: " + std::generic_category().message(errno));
    }
  }
}

void TrainingReporter::Write(const EpochResult& epoch) {
  epochs_.push_back(epoch);
  if (options_.quiet) {
    return;
  }

  std::string line =
      fmt::format("epoch {:>3}  loss {:.4f}", PassesText(PassesAt(epoch)), WithoutSign(epoch.loss));
  if (epoch.test_loss) {
    line += fmt::format("  test loss {:.4f}", WithoutSign(*epoch.test_loss));
  }
  if (epoch.accuracy) {
    line += fmt::format("  test accuracy {:.2f} %", 100 * *epoch.accuracy);
  }

  // The line of progress has to go before another one is written.
  ClearProgress();
  Print(line + "\n");
  FlushOutput();
}

std::int64_t TrainingReporter::MicrobatchesInAll() const {
  return std::int64_t{plan_.training.schedule.shape.microbatches} * plan_.rounds;
}

void TrainingReporter::ShowProgress() {
  const Clock::time_point now = Clock::now();
  // Neither too often, nor for a run that is over in a moment.
  if (now - shown_ < std::chrono::milliseconds(200) || now - begin_ < std::chrono::seconds(2) ||
      isatty(STDERR_FILENO) != 1) {
    return;
  }

  shown_ = now;
  has_progress_ = true;

  const std::int64_t seen = journal_.MicrobatchesSeen();
  const double rate = static_cast<double>(seen) / Seconds(now - begin_);
  const double samples = static_cast<double>(journal_.SamplesSeen()) / Seconds(now - begin_);
  const double left = static_cast<double>(MicrobatchesInAll() - seen) / std::max(rate, 1e-9);
  ShowProgressLine(fmt::format("micro-batch {} of {}  loss {:.4f}  {:.0f} samples/s  {:.0f} s left",
                               seen, MicrobatchesInAll(), journal_.LastLoss().value_or(0), samples,
                               left));
}

std::string TrainingReporter::Summary(const TrainingOutcome& outcome) const {
  const Schedule& schedule = plan_.training.schedule;
  return fmt::format(
      "{} updates in {}, {:.0f} samples/s; staleness {}, weight copies {} (by stage)\n{}", updates_,
      FormatDuration(outcome.elapsed),
      static_cast<double>(journal_.SamplesSeen()) / Seconds(outcome.elapsed),
      fmt::join(SteadyStaleness(schedule), ", "),
      fmt::join(WeightCopiesOfStages(plan_.training.slots.stages), ", "),
      divergence_ ? fmt::format("diverged: {}\n", ToText(*divergence_)) : "");
}

nlohmann::ordered_json TrainingReporter::ToJson(const TrainingOutcome& outcome) const {
  using Json = nlohmann::ordered_json;
  Json epochs = Json::array();
  for (const EpochResult& epoch : epochs_) {
    Json json = {{"epoch", PassesAt(epoch)},
                 {"microbatches", epoch.microbatches},
                 {"samples", epoch.samples},
                 {"loss", epoch.loss}};
    // Data without samples for an evaluation have no such figures.
    if (epoch.test_loss) {
      json["test_loss"] = *epoch.test_loss;
    }
    if (epoch.accuracy) {
      json["accuracy"] = *epoch.accuracy;
    }
    epochs.push_back(std::move(json));
  }

  const Schedule& schedule = plan_.training.schedule;
  return {
      {"schedule", schedule.name},
      {"ranks", schedule.shape.ranks},
      {"stages", schedule.shape.stages},
      {"microbatches", journal_.MicrobatchesSeen()},
      {"microbatch_size", SizesToJson(Sizes(given_))},
      {"samples", journal_.SamplesSeen()},
      {"samples_left_out", given_.data.Samples() - given_.data.SamplesOfEpoch(given_.per_epoch)},
      {"repetitions", plan_.rounds},
      {"model", given_.task.model.name},
      {"parameters", ParameterCount(given_.task.model)},
      {"updates", updates_},
      {"epochs", std::move(epochs)},
      {"staleness", SteadyStaleness(schedule)},
      {"weight_copies", WeightCopiesOfStages(plan_.training.slots.stages)},
      {"diverged_at", divergence_ ? stagecraft::ToJson(*divergence_) : Json(nullptr)},
      {"stopped", outcome.stopped},
      {"seconds", Seconds(outcome.elapsed)}};
}

}  // namespace stagecraft
