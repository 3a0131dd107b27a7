#include "tools/runs/validation.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "engine/ranks/process_job.h"
#include "engine/ranks/thread_job.h"
#include "engine/rehearsal.h"
#include "schedules/names.h"
#include "sim/simulate.h"
#include "tools/arguments/quantity.h"
#include "tools/command.h"
#include "tools/reports/run_report.h"
#include "tools/reports/table.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

/// `+0.31 %`.
std::string ErrorText(Nanoseconds predicted, Nanoseconds measured) {
  if (predicted.count() == 0) {
    return "";
  }
  return fmt::format(
      "{:+.2f} %",
      100 * (static_cast<double>(measured.count()) / static_cast<double>(predicted.count()) - 1));
}

/// One line per rank: how long it was busy, and when it was done.
std::string RanksToText(const TimelineDifference& run) {
  TextTable table{{{"rank"},
                   {"busy, predicted"},
                   {"measured"},
                   {"error"},
                   {"end, predicted"},
                   {"measured"},
                   {"error"}},
                  {}};

  for (std::size_t rank = 0; rank < run.ranks.size(); ++rank) {
    const TimelineDifference::Rank& of_rank = run.ranks[rank];
    table.rows.push_back({std::to_string(rank), FormatDuration(of_rank.predicted_busy),
                          FormatDuration(of_rank.measured_busy),
                          ErrorText(of_rank.predicted_busy, of_rank.measured_busy),
                          FormatDuration(of_rank.predicted_end),
                          FormatDuration(of_rank.measured_end),
                          ErrorText(of_rank.predicted_end, of_rank.measured_end)});
  }
  return ToPlainText(table);
}

/// One line per kind, all stages together.
std::string KindsToText(const TimelineDifference& run) {
  TextTable table{{{"kind", Align::kLeft}, {"ops"}, {"mean, predicted"}, {"measured"}, {"error"}},
                  {}};

  for (std::size_t begin = 0; begin < run.kinds.size();) {
    TimelineDifference::Kind sum;
    sum.kind = run.kinds[begin].kind;
    // Kinds are in order, with the stages of each side by side.
    for (; begin < run.kinds.size() && run.kinds[begin].kind == sum.kind; ++begin) {
      sum.ops += run.kinds[begin].ops;
      sum.predicted += run.kinds[begin].predicted;
      sum.measured += run.kinds[begin].measured;
    }

    table.rows.push_back({std::string(TraitsOf(sum.kind).text), std::to_string(sum.ops),
                          FormatDuration(sum.predicted / sum.ops),
                          FormatDuration(sum.measured / sum.ops),
                          ErrorText(sum.predicted, sum.measured)});
  }
  return ToPlainText(table);
}

/// What is known of a training beside predicted and measured.
std::string ChecksToText(const Validation& validation) {
  const TrainingChecks& checks = validation.checks[validation.MedianIndex()];
  const Nanoseconds measured = validation.Median().measured;

  return fmt::format(
      "             both from micro-batch {} on, {}:\n"
      "             means of each kind, {} from op to op, {} more from rank to rank,\n"
      "             {:+.2f} % since ops of a kind are not equally long\n"
      "  replayed   {}, {} (with the durations of the same run: what else takes time)\n"
      "  naive      {}, {} (the formula (m + p - 1) (F + B))\n"
      "  versions   {} of {} ops read what the schedule says; staleness {} (by stage)\n",
      validation.first_microbatch,
      validation.alternates ? "every other batch, with costs of those between"
                            : "with costs of those before",
      FormatDuration(checks.delays.dispatch), FormatDuration(checks.delays.hop),
      100 * checks.jitter, FormatDuration(checks.replayed), ErrorText(checks.replayed, measured),
      FormatDuration(checks.naive), ErrorText(checks.naive, measured),
      checks.reads - checks.wrong_reads, checks.reads, fmt::join(validation.staleness, ", "));
}

}  // namespace

Validation Rehearse(Schedule lowered, Costs costs, const RehearsalOptions& options,
                    Progress& progress) {
  const Timeline predicted = Simulate(lowered, costs, {});
  const ExecutionPlan plan = PlanExecution(std::move(lowered));
  Validation validation;
  validation.workers = options.workers;

  // Nobody has to wait longer than the whole run; what takes twice that has gone wrong.
  const Nanoseconds deadline = std::chrono::seconds(30) + 2 * Makespan(predicted);

  for (std::int32_t i = 0; i < options.runs; ++i) {
    progress.Begin(fmt::format("rehearsing, run {} of {}, {} each", i + 1, options.runs,
                               FormatDuration(Makespan(predicted))));
    Recorder recorder(plan.schedule);
    const MakeWork work = RehearsalOf(plan, costs);

    try {
      if (options.workers == Workers::kThreads) {
        RunAsThreads(plan, work, {.deadline = deadline, .recorder = &recorder});
      } else {
        RunAsProcesses(plan, work, {.deadline = deadline, .recorder = &recorder});
      }
    } catch (const JobError& error) {
      throw CommandFailure(ExitCode::kFailed, "", error.what());
    }
    validation.runs.push_back(Difference(plan.schedule, predicted, recorder.Recorded()));
  }

  std::sort(validation.runs.begin(), validation.runs.end(),
            [](const TimelineDifference& a, const TimelineDifference& b) {
              return a.measured < b.measured;
            });
  validation.lowered = plan.schedule;
  validation.costs = std::move(costs);
  return validation;
}

std::string ValidationToText(const Validation& validation) {
  const Shape& shape = validation.lowered.shape;
  // The median run stands for all; the range of the others says how much it means.
  const TimelineDifference& run = validation.Median();
  std::string text = fmt::format(
      "{}: {} ranks, {} stages, {} micro-batches, {} on {}, {} {}\n"
      "  predicted  {}\n"
      "  measured   {}, {} (median; {} to {})\n",
      ShownName(validation.lowered), shape.ranks, shape.stages, shape.microbatches,
      validation.checks.empty() ? "rehearsed" : "trained", ToString(validation.workers),
      validation.runs.size(), validation.runs.size() == 1 ? "run" : "runs",
      FormatDuration(run.predicted), FormatDuration(run.measured),
      ErrorText(run.predicted, run.measured),
      ErrorText(validation.runs.front().predicted, validation.runs.front().measured),
      ErrorText(validation.runs.back().predicted, validation.runs.back().measured));

  if (!validation.checks.empty()) {
    text += ChecksToText(validation);
    text += fmt::format("  with       {}\n", validation.compute);
    if (validation.diverged_at) {
      text += fmt::format("  diverged   {}\n", ToText(*validation.diverged_at));
    }
  }

  if (run.worst) {
    text += fmt::format("  worst op   {} on rank {} started {} {}\n",
                        ToString(validation.lowered.At(run.worst)), run.worst.rank,
                        FormatDuration(std::chrono::abs(run.worst_late)),
                        run.worst_late > Nanoseconds(0) ? "late" : "early");
  }

  text += fmt::format("\n{}\n{}", RanksToText(run), KindsToText(run));
  for (const std::string& sentence : validation.costs.derived) {
    text += "\nnote: " + sentence;
  }
  return validation.costs.derived.empty() ? text : text + "\n";
}

Json ValidationToJson(const Validation& validation) {
  const TimelineDifference& run = validation.Median();
  Json errors = Json::array();
  for (const TimelineDifference& each : validation.runs) {
    errors.push_back(each.Error());
  }

  Json ranks = Json::array();
  for (std::size_t rank = 0; rank < run.ranks.size(); ++rank) {
    const TimelineDifference::Rank& of_rank = run.ranks[rank];
    ranks.push_back({{"rank", rank},
                     {"predicted_busy_ns", of_rank.predicted_busy.count()},
                     {"measured_busy_ns", of_rank.measured_busy.count()},
                     {"predicted_end_ns", of_rank.predicted_end.count()},
                     {"measured_end_ns", of_rank.measured_end.count()}});
  }

  Json kinds = Json::array();
  for (const TimelineDifference::Kind& kind : run.kinds) {
    kinds.push_back({{"kind", TraitsOf(kind.kind).text},
                     {"stage", kind.stage},
                     {"ops", kind.ops},
                     {"predicted_ns", kind.predicted.count()},
                     {"measured_ns", kind.measured.count()}});
  }

  Json json = {{"predicted_ns", run.predicted.count()},
               {"measured_ns", run.measured.count()},
               {"error", run.Error()},
               {"errors", std::move(errors)},
               {"ranks", std::move(ranks)},
               {"kinds", std::move(kinds)},
               {"derived_costs", validation.costs.derived}};

  if (!validation.checks.empty()) {
    const TrainingChecks& checks = validation.checks[validation.MedianIndex()];
    // Of every run, as `errors` above.
    Json replay_errors = Json::array();
    for (std::size_t i = 0; i < validation.runs.size(); ++i) {
      const auto measured = static_cast<double>(validation.runs[i].measured.count());
      replay_errors.push_back(
          measured / static_cast<double>(validation.checks[i].replayed.count()) - 1);
    }

    json["training"] = {
        {"first_microbatch", validation.first_microbatch},
        {"alternates", validation.alternates},
        {"compute", validation.compute},
        {"jitter", checks.jitter},
        {"dispatch_ns", checks.delays.dispatch.count()},
        {"hop_ns", checks.delays.hop.count()},
        {"replayed_ns", checks.replayed.count()},
        {"replay_errors", std::move(replay_errors)},
        {"naive_ns", checks.naive.count()},
        {"reads", checks.reads},
        {"wrong_reads", checks.wrong_reads},
        {"staleness", validation.staleness},
        {"diverged_at", validation.diverged_at ? ToJson(*validation.diverged_at) : Json(nullptr)}};
  }
  return json;
}

}  // namespace stagecraft
