#include "tools/training_report.h"

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
#include "tools/command.h"
#include "tools/quantity.h"
#include "tools/run_report.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// The most that any stage has updated: where the last stage's S count begins.
std::int64_t UpdatesOf(const Snapshot* start, std::int32_t stage) {
  return start == nullptr ? 0 : UpdatesOf(*start, stage);
}

/// What is no number has a sign that means nothing.
double WithoutSign(double loss) {
  return std::isnan(loss) ? std::abs(loss) : loss;
}

std::vector<std::int32_t> SteadyStaleness(const Schedule& schedule) {
  std::vector<std::int32_t> staleness;
  staleness.reserve(static_cast<std::size_t>(schedule.shape.stages));
  for (const StageStaleness& of_stage : FindStaleness(schedule)) {
    staleness.push_back(of_stage.steady.value_or(0));
  }
  return staleness;
}

std::vector<std::int32_t> WeightCopies(const TrainingPlan& plan) {
  std::vector<std::int32_t> copies;
  copies.reserve(static_cast<std::size_t>(plan.training.schedule.shape.stages));
  for (std::int32_t stage = 0; stage < plan.training.schedule.shape.stages; ++stage) {
    copies.push_back(plan.training.slots.OfStage(stage));
  }
  return copies;
}

JournalStart StartOf(const TrainingPlan& plan, const GivenTraining& given, const Snapshot* start) {
  return {.microbatch = start == nullptr ? 0 : PositionOf(*start),
          .update = UpdatesOf(start, plan.training.schedule.shape.stages - 1),
          .has_accuracy = given.task.loss == Loss::kCrossEntropy};
}

}  // namespace

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
  journal_.on_update = [this](const UpdateResult& update) { Write(update); };
  journal_.on_epoch = [this](const EpochResult& epoch) { Write(epoch); };
  journal_.on_divergence = [this](const Divergence& divergence) { TellOf(divergence); };
  if (!options_.quiet) {
    const Shape& shape = plan.training.schedule.shape;
    Print(fmt::format(
        "{}: {} ranks, {} stages, {} micro-batches of {} samples, as {}\n{}: {} parameters\n{}",
        ShownName(plan.training.schedule), shape.ranks, shape.stages, MicrobatchesInAll(),
        given.data.microbatch_size, options_.processes ? "processes" : "threads",
        Visible(given.task.model.name), ParameterCount(given.task.model),
        options_.compute.empty() ? "" : options_.compute + "\n"));
    FlushOutput();
  }
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
  // Of the pauses whose updates all come before the one in which something was not finite.
  const std::int64_t first = UpdatesOf(options_.start, plan_.training.schedule.shape.stages - 1);
  const auto all = static_cast<std::int64_t>(plan_.pauses.size()) * plan_.rounds;
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
      fmt::format("epoch {:>3}  loss {:.4f}", epochs_.size(), WithoutSign(epoch.loss));
  if (epoch.test_loss) {
    line += fmt::format("  test loss {:.4f}", WithoutSign(*epoch.test_loss));
  }
  if (epoch.accuracy) {
    line += fmt::format("  test accuracy {:.2f} %", 100 * *epoch.accuracy);
  }
  ClearProgress();
  Print(line + "\n");
  FlushOutput();
}

std::int64_t TrainingReporter::MicrobatchesInAll() const {
  return std::int64_t{plan_.training.schedule.shape.microbatches} * plan_.rounds;
}

void TrainingReporter::ShowProgress() {
  const Clock::time_point now = Clock::now();
  if (now - shown_ < std::chrono::milliseconds(200) || now - begin_ < std::chrono::seconds(2) ||
      isatty(STDERR_FILENO) != 1) {
    return;
  }
  shown_ = now;
  has_progress_ = true;
  const std::int64_t seen = journal_.MicrobatchesSeen();
  const double rate = static_cast<double>(seen) / Seconds(now - begin_);
  const double left = static_cast<double>(MicrobatchesInAll() - seen) / std::max(rate, 1e-9);
  ShowProgressLine(fmt::format("micro-batch {} of {}  loss {:.4f}  {:.0f} samples/s  {:.0f} s left",
                               seen, MicrobatchesInAll(), journal_.LastLoss().value_or(0),
                               rate * given_.data.microbatch_size, left));
}

std::string TrainingReporter::Summary(const TrainingOutcome& outcome) const {
  const Schedule& schedule = plan_.training.schedule;
  const double seconds = Seconds(outcome.elapsed);
  return fmt::format(
      "{} updates in {:.1f} s, {:.0f} samples/s; staleness {}, weight copies {} (by stage)\n{}",
      updates_, seconds,
      static_cast<double>(journal_.MicrobatchesSeen() * given_.data.microbatch_size) / seconds,
      fmt::join(SteadyStaleness(schedule), ", "), fmt::join(WeightCopies(plan_), ", "),
      divergence_ ? fmt::format("diverged: {}\n", ToText(*divergence_)) : "");
}

nlohmann::ordered_json TrainingReporter::ToJson(const TrainingOutcome& outcome) const {
  using Json = nlohmann::ordered_json;
  Json epochs = Json::array();
  for (const EpochResult& epoch : epochs_) {
    Json json = {{"microbatches", epoch.microbatches}, {"loss", epoch.loss}};
    if (epoch.test_loss) {
      json["test_loss"] = *epoch.test_loss;
    }
    if (epoch.accuracy) {
      json["accuracy"] = *epoch.accuracy;
    }
    epochs.push_back(std::move(json));
  }
  const Schedule& schedule = plan_.training.schedule;
  return {{"schedule", schedule.name},
          {"ranks", schedule.shape.ranks},
          {"stages", schedule.shape.stages},
          {"microbatches", journal_.MicrobatchesSeen()},
          {"microbatch_size", given_.data.microbatch_size},
          {"model", given_.task.model.name},
          {"parameters", ParameterCount(given_.task.model)},
          {"updates", updates_},
          {"epochs", std::move(epochs)},
          {"staleness", SteadyStaleness(schedule)},
          {"weight_copies", WeightCopies(plan_)},
          {"diverged_at", divergence_ ? stagecraft::ToJson(*divergence_) : Json(nullptr)},
          {"stopped", outcome.stopped},
          {"seconds", Seconds(outcome.elapsed)}};
}

}  // namespace stagecraft
