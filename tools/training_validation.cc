#include "tools/training_validation.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "schedules/drains.h"
#include "schedules/staleness.h"
#include "sim/measured_replay.h"
#include "sim/simulate.h"
#include "tools/command.h"
#include "traces/measured_stages.h"

namespace stagecraft {
namespace {

/// The drain that is nearest to half of the micro-batches; the end does not count.
Drain FindHalf(const Schedule& lowered) {
  const std::int32_t all = lowered.shape.microbatches;
  std::optional<Drain> half;
  const auto distance = [&](const Drain& drain) { return std::abs(2 * drain.microbatches - all); };
  for (Drain& drain : FindDrains(lowered)) {
    if (drain.microbatches < all && (!half || distance(drain) < distance(*half))) {
      half = std::move(drain);
    }
  }
  if (!half) {
    throw CommandFailure(ExitCode::kUsage, "",
                         "the pipeline is never empty before the end, so that there is no first "
                         "half to take costs from; expected more batches (-n) or --drain-every");
  }
  return *std::move(half);
}

/// The ops behind `half`, and what `timeline` says of them from the moment they begin on the rank
/// that has the first stage.
struct SecondHalf {
  Schedule schedule;
  Timeline measured;
};

SecondHalf CutBehind(const Schedule& lowered, const Timeline& timeline, const Drain& half) {
  SecondHalf cut;
  cut.schedule = lowered;
  const OpIds ids(lowered);
  Nanoseconds begin = Nanoseconds::max();
  for (std::size_t rank = 0; rank < lowered.programs.size(); ++rank) {
    std::vector<Op>& program = cut.schedule.programs[rank];
    const auto first = static_cast<std::size_t>(half.end[rank]);
    const auto from = static_cast<std::size_t>(ids.Begin(static_cast<std::int32_t>(rank)));
    for (std::size_t i = first; i < program.size(); ++i) {
      const Span& span = timeline.spans[from + i];
      cut.measured.spans.push_back(span);
      if (program[i].stage == 0 && !IsCommunication(program[i].kind)) {
        begin = std::min(begin, span.start);
      }
    }
    program.erase(program.begin(), program.begin() + static_cast<std::ptrdiff_t>(first));
  }
  for (Span& span : cut.measured.spans) {
    span = {std::max(span.start - begin, Nanoseconds(0)),
            std::max(span.end - begin, Nanoseconds(0))};
  }
  return cut;
}

Costs ToCosts(const std::vector<ProfileLayer>& stages) {
  Costs costs;
  for (const ProfileLayer& stage : stages) {
    const MeasuredCosts& at = stage.at.front();
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
    costs.stages.push_back(of_stage);
  }
  return costs;
}

/// What the simulator says if every op begins `delays` after it could.
Timeline Predict(const Schedule& schedule, Costs costs, const Delays& delays) {
  for (StageCosts& stage : costs.stages) {
    for (Nanoseconds* const cost :
         {&stage.forward, &stage.backward, &stage.backward_input, &stage.backward_weight,
          &stage.recompute, &stage.step, &stage.predict}) {
      *cost += delays.dispatch;
    }
  }
  Timeline predicted = Simulate(schedule, costs, {.latency = delays.hop});
  const OpIds ids(schedule);
  for (std::int32_t id = 0; id < ids.Size(); ++id) {
    if (!IsCommunication(schedule.At(ids.At(id)).kind)) {
      predicted.spans[static_cast<std::size_t>(id)].start += delays.dispatch;
    }
  }
  return predicted;
}

/// (m + p - 1) of the slowest stage's forward and backward, for every fill and drain.
Nanoseconds NaiveFormula(const SecondHalf& half, const Costs& costs, std::int32_t before) {
  Nanoseconds slowest(0);
  for (const StageCosts& stage : costs.stages) {
    const Nanoseconds backward =
        std::max(stage.backward, stage.backward_input + stage.backward_weight);
    slowest = std::max(slowest, stage.forward + backward);
  }
  Nanoseconds sum(0);
  std::int32_t begin = before;
  for (const Drain& drain : FindDrains(half.schedule)) {
    if (drain.microbatches > begin) {
      sum += (drain.microbatches - begin + half.schedule.shape.stages - 1) * slowest;
      begin = drain.microbatches;
    }
  }
  return sum;
}

/// How many ops read another version than the schedule says.
std::int64_t CountWrongReads(const Schedule& lowered, const std::vector<SlotContent>& reads,
                             std::int64_t& checked) {
  std::int64_t wrong = 0;
  std::size_t id = 0;
  for (const std::vector<Op>& program : lowered.programs) {
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

Validation ValidateTraining(const GivenTraining& given, Schedule lowered,
                            const RehearsalOptions& options, Progress& progress) {
  const Drain half = FindHalf(lowered);
  const TrainingPlan plan = PlanTraining(lowered, 0, 0);
  const Schedule& schedule = plan.training.schedule;
  const MicrobatchRange range{half.microbatches / 4, half.microbatches};
  struct Run {
    TimelineDifference difference;
    TrainingChecks checks;
    Costs costs;
  };
  std::vector<Run> runs;
  for (std::int32_t i = 0; i < options.runs; ++i) {
    progress.Begin(fmt::format("training, run {} of {}", i + 1, options.runs));
    const TrainingOutcome outcome =
        RunTraining(given.task, plan, {.workers = options.workers, .record = true});
    if (outcome.stopped) {
      throw CommandFailure(ExitCode::kFailed, "", "stopped before the end");
    }
    Run run;
    run.costs = ToCosts(MeasureStages(schedule, *outcome.recorded, range));
    run.checks.delays = MeasureDelays(schedule, *outcome.recorded, range);
    const SecondHalf second = CutBehind(schedule, *outcome.recorded, half);
    run.difference = Difference(
        second.schedule, Predict(second.schedule, run.costs, run.checks.delays), second.measured);
    const Timeline replayed = ReplayMeasured(second.schedule, second.measured, run.checks.delays);
    run.checks.replayed = Difference(second.schedule, replayed, second.measured).predicted;
    run.checks.naive = NaiveFormula(second, run.costs, half.microbatches);
    run.checks.wrong_reads = CountWrongReads(schedule, outcome.reads, run.checks.reads);
    runs.push_back(std::move(run));
  }
  std::sort(runs.begin(), runs.end(),
            [](const Run& a, const Run& b) { return a.difference.Error() < b.difference.Error(); });
  Validation validation;
  validation.workers = options.workers;
  for (Run& run : runs) {
    validation.runs.push_back(std::move(run.difference));
    validation.checks.push_back(run.checks);
  }
  validation.costs = std::move(runs[(runs.size() - 1) / 2].costs);
  for (const StageStaleness& stage : FindStaleness(schedule)) {
    validation.staleness.push_back(stage.steady.value_or(0));
  }
  validation.lowered = schedule;
  validation.first_microbatch = half.microbatches;
  return validation;
}

}  // namespace stagecraft
