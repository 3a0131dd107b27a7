#include "tools/runs/training_validation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "schedules/drains.h"
#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/tables.h"
#include "sim/measured_replay.h"
#include "sim/simulate.h"
#include "tools/command.h"
#include "traces/measured_stages.h"

namespace stagecraft {
namespace {

/// The ops between two drains that follow each other.
struct Stretch {
  Drain from, to;
  std::int32_t Microbatches() const { return to.microbatches - from.microbatches; }
};

/// Which part of a run gives the costs, and which is predicted with them.
struct Split {
  std::vector<MicrobatchRange> costs;
  std::vector<Stretch> known;  ///< The stretches that the costs are from, whole.
  std::vector<Stretch> predicted;
};

/// The micro-batches of each.
std::vector<MicrobatchRange> RangesOf(const std::vector<Stretch>& stretches) {
  std::vector<MicrobatchRange> ranges;
  ranges.reserve(stretches.size());
  for (const Stretch& stretch : stretches) {
    ranges.push_back({stretch.from.microbatches, stretch.to.microbatches});
  }
  return ranges;
}

/// Throws `CommandFailure` (usage) if there are fewer than two.
std::vector<Stretch> FindStretches(const Schedule& lowered) {
  std::vector<Stretch> stretches;
  Drain from{0, std::vector<std::int32_t>(lowered.programs.size(), 0)};
  for (Drain& drain : FindDrains(lowered)) {
    stretches.push_back({std::move(from), drain});
    from = std::move(drain);
  }
  if (stretches.size() < 2) {
    throw CommandFailure(ExitCode::kUsage, "",
                         "the pipeline is never empty before the end, so that there is no first "
                         "half to take costs from; expected more batches (-n, or in the file) or "
                         "--drain-every");
  }
  return stretches;
}

/// Cuts at the drain that is nearest to half of the micro-batches. Before it, the first quarter
/// warms up.
Split SplitAtHalf(const Schedule& lowered) {
  const std::vector<Stretch> stretches = FindStretches(lowered);
  const std::int32_t all = lowered.shape.microbatches;
  const auto half = std::min_element(
      std::next(stretches.begin()), stretches.end(), [&](const Stretch& a, const Stretch& b) {
        return std::abs(2 * a.from.microbatches - all) < std::abs(2 * b.from.microbatches - all);
      });
  const std::int32_t quarter = half->from.microbatches / 4;
  const auto warm = std::find_if(stretches.begin(), half, [&](const Stretch& stretch) {
    return stretch.from.microbatches >= quarter;
  });
  return {{{quarter, half->from.microbatches}},
          {warm == half ? stretches.begin() : warm, half},
          {half, stretches.end()}};
}

/// Every second stretch is predicted from those between; the first warms up if there are enough.
Split SplitAlternately(const Schedule& lowered) {
  const std::vector<Stretch> stretches = FindStretches(lowered);
  constexpr std::size_t kEnoughToWarmUp = 4;
  Split split;
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    if (i % 2 == 1) {
      split.predicted.push_back(stretches[i]);
    } else if (i > 0 || stretches.size() < kEnoughToWarmUp) {
      split.known.push_back(stretches[i]);
    }
  }
  split.costs = RangesOf(split.known);
  return split;
}

/// The ops of some stretches, and what a timeline says of them: each stretch begins when the one
/// before it is over.
struct Part {
  Schedule schedule;
  Timeline measured;
};

/// When the ranks that have the first stage begin with what comes behind `drain`; the end of
/// everything if that is nothing.
Nanoseconds BeginBehind(const Schedule& lowered, const Timeline& timeline, const Drain& drain) {
  const OpIds ids(lowered);
  Nanoseconds begin = Nanoseconds::max();

  for (std::int32_t rank = 0; rank < lowered.programs.Count(); ++rank) {
    const Program& program = lowered.programs[rank];
    const auto found =
        std::find_if(program.begin() + drain.end[rank], program.end(),
                     [](const Op& op) { return op.stage == 0 && !IsCommunication(op.kind); });
    // Ranks without the first stage wait for it.
    if (found != program.end()) {
      const OpRef op{rank, static_cast<std::int32_t>(found - program.begin())};
      begin = std::min(begin, timeline.spans[ids.Of(op)].start);
    }
  }

  return begin == Nanoseconds::max() ? Makespan(timeline) : begin;
}

/// The `stretches` of a run, each moved to where the one before it ends.
Part CutOut(const Schedule& lowered, const Timeline& timeline,
            const std::vector<Stretch>& stretches) {
  std::vector<Nanoseconds> shifts;  // By how much each stretch is moved to an earlier time.
  Nanoseconds now(0);
  for (const Stretch& stretch : stretches) {
    const Nanoseconds begin = BeginBehind(lowered, timeline, stretch.from);
    shifts.push_back(begin - now);
    now += BeginBehind(lowered, timeline, stretch.to) - begin;
  }

  Part part;
  part.schedule = lowered;
  const OpIds ids(lowered);

  for (std::int32_t rank = 0; rank < lowered.programs.Count(); ++rank) {
    Program& program = part.schedule.programs[rank];
    program.clear();
    for (std::size_t i = 0; i < stretches.size(); ++i) {
      for (std::int32_t op = stretches[i].from.end[rank]; op < stretches[i].to.end[rank]; ++op) {
        const OpRef ref{rank, op};
        const Span& span = timeline.spans[ids.Of(ref)];
        program.push_back(lowered.At(ref));
        // Later ranks of a stretch may have begun before its first stage did.
        part.measured.spans.push_back({std::max(span.start - shifts[i], Nanoseconds(0)),
                                       std::max(span.end - shifts[i], Nanoseconds(0))});
      }
    }
  }

  return part;
}

/// Means of each kind of op over `ranges`, by stage.
Costs MeasureCosts(const Schedule& schedule, const Timeline& timeline,
                   const std::vector<MicrobatchRange>& ranges) {
  const Table<Nanoseconds> allreduces = MeasureAllReduces(schedule, timeline, ranges);
  Costs costs;

  for (const ProfileLayer& stage : MeasureStages(schedule, timeline, ranges)) {
    const MeasuredCosts& at = stage.at.front();
    // A kind that did not run costs nothing, since it will not run in the prediction either.
    const auto or_zero = [](const std::optional<Nanoseconds>& time) {
      return time.value_or(Nanoseconds(0));
    };

    StageCosts of_stage;
    of_stage.forward = or_zero(at.forward);
    of_stage.backward = or_zero(at.backward);
    of_stage.backward_input = or_zero(at.backward_input);
    of_stage.backward_weight = or_zero(at.backward_weight);
    of_stage.recompute = or_zero(at.recompute);
    of_stage.step = or_zero(stage.step);
    of_stage.predict = or_zero(stage.predict);
    of_stage.allreduce = allreduces[costs.stages.size()];
    costs.stages.push_back(of_stage);
  }

  return costs;
}

/// What the simulator says if every op begins `delays` after it could.
Timeline Simulated(const Schedule& schedule, Costs costs, const Delays& delays) {
  for (StageCosts& stage : costs.stages) {
    for (Nanoseconds* const cost :
         {&stage.forward, &stage.backward, &stage.backward_input, &stage.backward_weight,
          &stage.recompute, &stage.step, &stage.predict, &stage.allreduce}) {
      *cost += delays.dispatch;
    }
  }

  // To the simulator the delay is part of the op, which in fact begins behind it.
  Timeline predicted = Simulate(schedule, costs, {.latency = delays.hop});
  const OpIds ids(schedule);
  for (std::int32_t id = 0; id < ids.Size(); ++id) {
    if (!IsCommunication(schedule.At(ids.At(id)).kind)) {
      predicted.spans[id].start += delays.dispatch;
    }
  }

  return predicted;
}

/// By how much longer a part takes than if every op took the mean of its kind: ops of unequal
/// length wait for each other, now on one rank, now on another.
double Jitter(const Part& part, const Costs& means, const Delays& delays) {
  const Nanoseconds with_means = Makespan(Simulated(part.schedule, means, delays));
  const Nanoseconds as_measured = Makespan(ReplayMeasured(part.schedule, part.measured, delays));
  return static_cast<double>(as_measured.count()) / static_cast<double>(with_means.count()) - 1;
}

/// Every op begins `factor` times later, and takes as long as it does.
Timeline Stretched(Timeline timeline, double factor) {
  for (Span& span : timeline.spans) {
    const Nanoseconds start(std::llround(static_cast<double>(span.start.count()) * factor));
    span = {start, start + (span.end - span.start)};
  }
  timeline.transfers.clear();  // Only spans are compared.
  return timeline;
}

/// (m + p - 1) of the slowest stage's forward and backward, for every fill and drain.
Nanoseconds NaiveFormula(const std::vector<Stretch>& stretches, const Costs& costs) {
  Nanoseconds slowest(0);
  for (const StageCosts& stage : costs.stages) {
    const Nanoseconds backward =
        std::max(stage.backward, stage.backward_input + stage.backward_weight);
    slowest = std::max(slowest, stage.forward + backward);
  }

  Nanoseconds sum(0);
  for (const Stretch& stretch : stretches) {
    const auto stages = costs.stages.Count();
    sum += (stretch.Microbatches() + stages - 1) * slowest;
  }
  return sum;
}

/// How many ops read another version than the schedule says.
std::int64_t CountWrongReads(const Schedule& lowered, const OpTable<SlotContent>& reads,
                             std::int64_t& checked) {
  std::int64_t wrong = 0;
  std::int32_t id = 0;
  for (const Program& program : lowered.programs) {
    for (const Op& op : program) {
      const SlotContent read = reads[id++];
      if (TraitsOf(op.kind).reads_weights) {
        ++checked;
        wrong += read == SlotContent{op.version, op.horizon} ? 0 : 1;
      }
    }
  }
  return wrong;
}

}  // namespace

Validation ValidateTraining(const GivenTraining& given, const Schedule& lowered,
                            const TrainingValidationOptions& options, Progress& progress) {
  const Split split = options.alternates ? SplitAlternately(lowered) : SplitAtHalf(lowered);
  const TrainingPlan plan = PlanTraining(lowered, 0, 0);
  const Schedule& schedule = plan.training.schedule;

  // What is kept of one run until it is known which is the median.
  struct Run {
    TimelineDifference difference;
    TrainingChecks checks;
    Costs costs;
  };

  std::vector<Run> runs;
  Validation validation;
  for (std::int32_t i = 0; i < options.runs; ++i) {
    progress.Begin(fmt::format("training, run {} of {}", i + 1, options.runs));
    DivergenceWatch watch(plan, {});
    const TrainingOutcome outcome =
        RunTraining(given.task, plan,
                    {.workers = options.workers,
                     .record = true,
                     .on_report = [&](const TrainingReport& report, std::string_view) {
                       watch.Take(report);
                       return true;
                     }});
    if (outcome.stopped) {
      throw CommandFailure(ExitCode::kFailed, "", "stopped before the end");
    }
    watch.Finish();
    validation.diverged_at = watch.First();  // It is the same in every run.

    // What the known part of the run says.
    Run run;
    run.costs = MeasureCosts(schedule, *outcome.recorded, split.costs);
    run.checks.delays = MeasureDelays(schedule, *outcome.recorded, split.costs);
    run.checks.jitter =
        Jitter(CutOut(schedule, *outcome.recorded, split.known),
               MeasureCosts(schedule, *outcome.recorded, RangesOf(split.known)), run.checks.delays);

    // The prediction of the other part, held against what was measured there.
    Part part = CutOut(schedule, *outcome.recorded, split.predicted);
    const Timeline predicted =
        Stretched(Simulated(part.schedule, run.costs, run.checks.delays), 1 + run.checks.jitter);
    run.difference = Difference(part.schedule, predicted, part.measured);
    run.checks.replayed = Makespan(ReplayMeasured(part.schedule, part.measured, run.checks.delays));
    run.checks.naive = NaiveFormula(split.predicted, run.costs);
    run.checks.wrong_reads = CountWrongReads(schedule, outcome.reads, run.checks.reads);
    runs.push_back(std::move(run));
    validation.lowered = std::move(part.schedule);  // They are the same in every run.
  }

  // The median run stands for all of them.
  std::sort(runs.begin(), runs.end(),
            [](const Run& a, const Run& b) { return a.difference.Error() < b.difference.Error(); });
  validation.workers = options.workers;
  for (Run& run : runs) {
    validation.runs.push_back(std::move(run.difference));
    validation.checks.push_back(run.checks);
  }
  validation.costs = std::move(runs[(runs.size() - 1) / 2].costs);

  for (const StageStaleness& stage : FindStaleness(schedule)) {
    validation.staleness.push_back(stage.steady.value_or(0));
  }
  validation.first_microbatch = split.predicted.front().from.microbatches;
  validation.alternates = options.alternates;
  validation.compute = ToString(DescribeCompute(given.task.compute, options.workers));
  return validation;
}

}  // namespace stagecraft
