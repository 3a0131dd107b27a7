#include "tools/order_search.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/option_check.h"
#include "tools/interrupt.h"
#include "tools/quantity.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

/// Throws `CommandFailure` (usage) if a batch of `microbatches` takes longer than can be counted.
void CheckSum(double sum, std::int32_t microbatches) {
  constexpr double kMost = 4e18;  // Nanoseconds: 126 years.
  if (sum * microbatches > kMost) {
    throw CommandFailure(ExitCode::kUsage, "",
                         fmt::format("all ops and transfers of a batch take {:.1e} ns in sum; "
                                     "expected at most {:.0e}",
                                     sum * microbatches, kMost));
  }
}

/// What `costs` and `topology` say of every stage of a schedule with this shape and placement.
std::vector<StageEstimate> EstimatesOf(const Schedule& placed, const Costs& costs,
                                       const Topology& topology) {
  std::vector<StageEstimate> estimates(costs.stages.size());
  double sum = 0;
  for (std::size_t rank = 0; rank < placed.placement.size(); ++rank) {
    const double speed = topology.SpeedOf(static_cast<std::int32_t>(rank));
    const auto time = [&](Nanoseconds nominal) {
      const double exact = static_cast<double>(nominal.count()) / speed;
      sum += exact;
      CheckSum(sum, placed.shape.microbatches);
      return std::max(std::llround(exact), 1LL);
    };
    for (const std::int32_t number : placed.placement[rank]) {
      const StageCosts& stage = costs.stages[static_cast<std::size_t>(number)];
      const double transfer =
          topology.bandwidth > 0
              ? 1e9 * static_cast<double>(stage.sizes.output_bytes) / topology.bandwidth
              : 0;
      sum += 2 * (transfer + static_cast<double>(topology.latency.count()));
      CheckSum(sum, placed.shape.microbatches);
      estimates[static_cast<std::size_t>(number)] = {
          .forward = time(stage.forward),
          .backward_input = time(stage.backward_input),
          .backward_weight = time(stage.backward_weight),
          .hop = topology.latency.count() + std::llround(transfer),
          .kept = std::max(stage.sizes.activation_bytes, std::int64_t{1}),
          .released =
              std::min(stage.sizes.released_by_backward_input, stage.sizes.activation_bytes)};
    }
  }
  return estimates;
}

std::vector<StageEstimate> EstimatesFor(const Generator& generator, const GeneratorOptions& options,
                                        const CostedMachine& machine) {
  Schedule placed;
  placed.placement = generator.automatic(options.ranks);
  const std::size_t stages = placed.placement.size() * placed.placement.front().size();
  placed.shape = {options.ranks, static_cast<std::int32_t>(stages), options.microbatches};
  const Costs costs = machine.parts > 0
                          ? machine.source.ForParts(placed, machine.parts, machine.factor)
                          : machine.source.For(placed, machine.factor);
  return EstimatesOf(placed, costs, machine.arguments.TopologyFor(placed));
}

std::string TimeToText(std::int64_t time, bool has_unit) {
  return has_unit ? FormatDuration(Nanoseconds(time)) : std::to_string(time);
}

/// How good what was found is: on stderr, since the result may be a file on stdout.
void Describe(std::string_view name, const AutoReport& report, bool has_costs) {
  const double gap = static_cast<double>(report.window - report.lower_bound) /
                     static_cast<double>(std::max(report.lower_bound, std::int64_t{1}));
  PrintError(fmt::format(
      "{}: a batch takes {}{} within the window of the worst rank; no order within the "
      "limit takes less than {} (gap {}); best of {} orders{}\n",
      name, TimeToText(report.window, has_costs),
      has_costs ? "" : " (F, I and W 1 each, since no costs are given)",
      TimeToText(report.lower_bound, has_costs), FormatShare(gap), report.tried,
      report.tried < report.planned ? fmt::format(" of {} planned", report.planned) : ""));
}

}  // namespace

void AddEstimates(const Generator& generator, GeneratorOptions& options,
                  const CostedMachine& machine) {
  GeneratorOptions sizes = options;
  sizes.limit.reset();
  if (generator.automatic != nullptr && CheckOptions(generator, sizes).empty()) {
    options.estimates = EstimatesFor(generator, options, machine);
  }
}

Result<Schedule> GenerateFor(std::string_view name, GeneratorOptions options,
                             const CostedMachine* machine) {
  const Generator* generator = FindGenerator(name);
  if (generator == nullptr || generator->automatic == nullptr) {
    return Generate(name, options);
  }
  if (machine != nullptr) {
    AddEstimates(*generator, options, *machine);
  }
  if (!CheckOptions(*generator, options).empty()) {
    return Generate(name, options);
  }
  AutoReport last;
  Progress progress;
  const StopOnSignal stop_on_signal;
  options.watch = [&](const AutoReport& report) {
    last = report;
    progress.Begin(fmt::format("{}: {} of {} orders tried", name, report.tried, report.planned));
    return !StopOnSignal::Requested();
  };
  Result<Schedule> made = Generate(name, options);
  if (made) {
    Describe(name, last, machine != nullptr);
  }
  return made;
}

}  // namespace stagecraft
