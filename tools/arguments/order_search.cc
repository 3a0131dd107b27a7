#include "tools/arguments/order_search.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/activations.h"
#include "schedules/lower.h"
#include "schedules/option_check.h"
#include "schedules/tables.h"
#include "tools/arguments/quantity.h"
#include "tools/interrupt.h"
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
Table<StageEstimate> EstimatesOf(const Schedule& placed, const Costs& costs,
                                 const Topology& topology) {
  Table<StageEstimate> estimates(costs.stages.size());
  double sum = 0;
  for (std::int32_t rank = 0; rank < placed.placement.Count(); ++rank) {
    const double speed = topology.SpeedOf(rank);
    const auto time = [&](Nanoseconds nominal) {
      const double exact = static_cast<double>(nominal.count()) / speed;
      sum += exact;
      CheckSum(sum, placed.shape.microbatches);
      return std::max(std::llround(exact), 1LL);
    };
    for (const std::int32_t number : placed.placement[rank]) {
      const StageCosts& stage = costs.stages[number];
      const double transfer =
          topology.bandwidth > 0
              ? 1e9 * static_cast<double>(stage.sizes.output_bytes) / topology.bandwidth
              : 0;
      sum += 2 * (transfer + static_cast<double>(topology.latency.count()));
      CheckSum(sum, placed.shape.microbatches);
      estimates[number] = {.forward = time(stage.forward),
                           .backward_input = time(stage.backward_input),
                           .backward_weight = time(stage.backward_weight),
                           .hop = topology.latency.count() + std::llround(transfer),
                           .kept = std::max(stage.sizes.activation_bytes, std::int64_t{1}),
                           .released = std::min(stage.sizes.released_by_backward_input,
                                                stage.sizes.activation_bytes)};
    }
  }
  return estimates;
}

/// The placement that `generator` gives these options, as a schedule without programs.
Schedule PlacedFor(const Generator& generator, const GeneratorOptions& options) {
  Schedule placed;
  placed.placement = generator.placement(options);
  std::int32_t last = 0;
  for (const std::vector<std::int32_t>& stages : placed.placement) {
    last = std::max(last, *std::max_element(stages.begin(), stages.end()));
  }
  placed.shape = {options.ranks, last + 1, options.microbatches};
  return placed;
}

/// What `--memory` leaves each rank for activations beside one copy of its weights, its optimizer,
/// and a boundary coming in from either side; empty if memory is unlimited.
Table<std::int64_t> RoomFor(const Schedule& placed, const Costs& costs,
                            const CostArguments& arguments) {
  Table<std::int64_t> room;
  for (std::int32_t rank = 0; arguments.HasMemory() && rank < placed.shape.ranks; ++rank) {
    std::int64_t left = *arguments.MemoryOf(rank, placed.shape.ranks);
    for (const std::int32_t stage : placed.placement[rank]) {
      const StageSizes& sizes = costs.stages[stage].sizes;
      left -= sizes.parameter_bytes + sizes.optimizer_bytes;
    }
    room.push_back(left);
  }
  return room;
}

/// Takes from each rank's room what `schedule` holds there beyond `--memory`, since buffers come on
/// top of activations; false if it holds no more than it may anywhere.
bool TakeFromRoom(const Schedule& schedule, const CostedMachine& machine,
                  Table<std::int64_t>& room) {
  const Costs costs = machine.source.For(schedule, machine.scale);
  const Table<RankMemory> memory = PeakMemory(Lower(schedule, ReceivePolicy{}), SizesOf(costs));
  bool any = false;
  for (std::int32_t rank = 0; rank < room.Count(); ++rank) {
    const std::int64_t most = *machine.arguments.MemoryOf(rank, schedule.shape.ranks);
    if (memory[rank].peak_bytes > most) {
      room[rank] -= memory[rank].peak_bytes - most;
      any = true;
    }
  }
  return any;
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
  if (generator.placement == nullptr) {
    return;
  }

  // Whether sizes are in range is asked without what needs the costs that are to be added.
  GeneratorOptions sizes = options;
  sizes.limit.reset();
  if (!CheckOptions(generator, sizes).empty()) {
    return;
  }
  const Schedule placed = PlacedFor(generator, options);
  const Costs costs = machine.source.For(placed, machine.scale);
  options.estimates = EstimatesOf(placed, costs, machine.arguments.TopologyFor(placed));
  options.room = RoomFor(placed, costs, machine.arguments);
}

namespace {

/// `Generate`, and a search with progress that Ctrl-C ends, whose report is `last` then.
Result<Schedule> Search(const Generator& generator, GeneratorOptions options, AutoReport& last) {
  if (!generator.automatic || !CheckOptions(generator, options).empty()) {
    return Generate(generator.name, options);
  }
  Progress progress;
  const StopOnSignal stop_on_signal;
  options.watch = [&](const AutoReport& report) {
    last = report;
    progress.Begin(
        fmt::format("{}: {} of {} orders tried", generator.name, report.tried, report.planned));
    return !StopOnSignal::Requested();
  };
  return Generate(generator.name, options);
}

}  // namespace

Result<Schedule> GenerateFor(std::string_view name, GeneratorOptions options,
                             const CostedMachine* machine) {
  const Generator* generator = FindGenerator(name);
  if (generator == nullptr || generator->placement == nullptr) {
    return Generate(name, options);
  }
  if (machine != nullptr) {
    AddEstimates(*generator, options, *machine);
  }

  // Buffers are known only once there is an order: what is over is taken off, and again. No order
  // can beat the bound of the first attempt, which has most room.
  constexpr int kMostAttempts = 8;
  AutoReport report;
  Result<Schedule> made = Search(*generator, options, report);
  const std::int64_t bound = report.lower_bound;
  for (int attempt = 1; made && !options.room.empty() && attempt < kMostAttempts; ++attempt) {
    if (!TakeFromRoom(*made.value, *machine, options.room)) {
      break;
    }
    made = Search(*generator, options, report);
  }

  if (made && generator->automatic) {
    report.lower_bound = bound;
    Describe(generator->name, report, machine != nullptr);
  }
  return made;
}

}  // namespace stagecraft
