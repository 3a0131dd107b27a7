#include "tools/arguments/order_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/activations.h"
#include "schedules/lower.h"
#include "schedules/option_check.h"
#include "schedules/tables.h"
#include "tools/arguments/option_flags.h"
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
      // At least 1 ns, so that no op is free.
      return std::max(std::llround(exact), 1LL);
    };

    for (const std::int32_t number : placed.placement[rank]) {
      const StageCosts& stage = costs.stages[number];
      const double transfer =
          topology.bandwidth > 0
              ? 1e9 * static_cast<double>(stage.sizes.output_bytes) / topology.bandwidth
              : 0;

      // An output goes forwards, and a gradient of the same size comes back.
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

/// What `--memory` leaves each rank for activations and buffers beside one copy of its weights and
/// its optimizer's state; empty if memory is unlimited.
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

/// Without costs, times are counted in ops.
std::string TimeToText(std::int64_t time, bool has_unit) {
  return has_unit ? FormatDuration(Nanoseconds(time)) : std::to_string(time);
}

/// How good what was found is: on stderr, since the result may be a file on stdout.
void Describe(std::string_view name, const AutoReport& report, bool has_costs) {
  const std::string window = TimeToText(report.window, has_costs) +
                             (has_costs ? "" : " (F, I and W 1 each, since no costs are given)");
  const std::string tried =
      report.tried < report.planned
          ? fmt::format("{} of {} planned orders tried", report.tried, report.planned)
          : fmt::format("{} orders tried", report.tried);

  // Optimal without a doubt, whatever was not tried.
  if (report.window == report.lower_bound) {
    PrintError(fmt::format(
        "{}: optimal: a batch takes {} within the window of the worst rank, which equals the lower "
        "bound ({})\n",
        name, window, tried));
    return;
  }
  const double gap = static_cast<double>(report.window - report.lower_bound) /
                     static_cast<double>(std::max(report.lower_bound, std::int64_t{1}));
  PrintError(fmt::format(
      "{}: a batch takes {} within the window of the worst rank; no order within the limit takes "
      "less than {} (gap {}; {})\n",
      name, window, TimeToText(report.lower_bound, has_costs), FormatShare(gap), tried));
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

/// The library names options, the program their flags.
Result<Schedule> GenerateWithFlags(std::string_view name, const GeneratorOptions& options) {
  Result<Schedule> made = Generate(name, options);
  made.diagnostics = WithFlags(std::move(made.diagnostics));
  return made;
}

/// `Generate`. A search shows its progress, Ctrl-C ends it with the best order so far, and `last`
/// is its last report.
Result<Schedule> Search(const Generator& generator, GeneratorOptions options, AutoReport& last) {
  if (!generator.automatic || !CheckOptions(generator, options).empty()) {
    return GenerateWithFlags(generator.name, options);
  }

  Progress progress;
  const StopOnSignal stop_on_signal;

  // The search goes on as long as this returns true.
  options.watch = [&](const AutoReport& report) {
    last = report;
    progress.Begin(
        fmt::format("{}: {} of {} orders tried", generator.name, report.tried, report.planned));
    return !StopOnSignal::Requested();
  };
  return GenerateWithFlags(generator.name, options);
}

/// Bytes on each rank.
using Room = std::vector<std::int64_t>;

/// What `schedule` holds on each rank beyond `--memory`; below 0 if that is less.
Room OverOf(const Schedule& schedule, const CostedMachine& machine) {
  const Costs costs = machine.source.For(schedule, machine.scale);
  Room over;
  for (const RankMemory& memory : PeakMemory(Lower(schedule, ReceivePolicy{}), SizesOf(costs))) {
    const auto rank = static_cast<std::int32_t>(over.size());
    over.push_back(memory.peak_bytes - *machine.arguments.MemoryOf(rank, schedule.shape.ranks));
  }
  return over;
}

/// The best order within `--memory`. How much of it buffers take is known only once there is an
/// order, so that several rooms for activations are tried, a fixed number at most:
///
///   |<------------------------ memory ------------------------->|
///   | weights | room for activations                  | buffers |
///             |------------------- high ------------------------|   first: too much
///             |------------- low -------------|                     what was over is taken off
///             |----------------- between ----------|                given back, by halves
///             |-- so many whole sets on all ranks --|               the same from more even rooms
class RoomSearch {
 public:
  // Begins with the room that `options` has.
  RoomSearch(const Generator& generator, const GeneratorOptions& options,
             const CostedMachine& machine)
      : generator_(generator), options_(options), machine_(machine), first_(options.room) {}

  /// The best order that fits. If none does, the last of those from which was taken off, or why
  /// there is none.
  Result<Schedule> Run(AutoReport& report) {
    const StopOnSignal stop_on_signal;  // One Ctrl-C ends all attempts.
    if (const std::optional<Room> low = TakeOff(first_, kMostTaken, true); !IsDone()) {
      if (low) {
        GiveBack(*low);
      }
      TryWholeSets();
    }

    report = report_;
    return best_ ? Result<Schedule>{std::move(best_), {}} : std::move(last_);
  }

 private:
  // How many orders are made at most: to take off, to give back, and for whole sets.
  static constexpr int kMostTaken = 8;
  static constexpr int kMostGiven = 4;
  static constexpr int kMostSets = 3;
  static constexpr int kMostTakenOfSets = 3;

  /// Begins with `room` and takes off what each order holds too much until one fits, at most `most`
  /// times. Returns the room of that order, nothing if none fits; `high_` is the last room that was
  /// too much. `is_last` as in `Try`.
  std::optional<Room> TakeOff(Room room, int most, bool is_last) {
    for (int attempt = 0; attempt < most; ++attempt) {
      if (!Try(room, is_last)) {
        return std::nullopt;
      }
      if (Fits()) {
        is_first_ = is_last && attempt == 0;
        return room;
      }
      if (IsStopped()) {
        return std::nullopt;
      }

      // What each rank holds too much is taken off its room.
      high_ = room;
      for (std::size_t rank = 0; rank < room.size(); ++rank) {
        room[rank] -= std::max(over_[rank], std::int64_t{0});
      }
    }
    return std::nullopt;
  }

  /// Looks for more room between what fits and what was too much.
  void GiveBack(Room low) {
    Room high = high_;
    for (int attempt = 0; attempt < kMostGiven && !IsDone(); ++attempt) {
      Room middle = low;
      for (std::size_t rank = 0; rank < middle.size(); ++rank) {
        middle[rank] += (high[rank] - low[rank]) / 2;
      }
      if (middle == low) {
        return;
      }
      // Bisection: what fits is the new low end, what does not the new high end.
      (Try(middle, false) && Fits() ? low : high) = std::move(middle);
    }
  }

  /// Tries whole activation sets, as many on every rank, as somebody would who tries one `--limit`
  /// after the other, from the largest that can be of use.
  void TryWholeSets() {
    if (!generator_.automatic) {
      return;
    }
    Room set;
    for (const std::vector<std::int32_t>& stages : generator_.placement(options_)) {
      std::int64_t& of_rank = set.emplace_back(0);
      for (const std::int32_t stage : stages) {
        of_rank += options_.estimates[static_cast<std::size_t>(stage)].kept;
      }
    }

    // No rank can use more sets than there are micro-batches.
    std::int64_t most = 0;
    for (std::size_t rank = 0; rank < set.size(); ++rank) {
      most =
          std::max(most, std::min<std::int64_t>(first_[rank] / set[rank], options_.microbatches));
    }

    for (int attempt = 0; attempt < kMostSets && attempt < most && !IsDone(); ++attempt) {
      Room room = first_;
      for (std::size_t rank = 0; rank < room.size(); ++rank) {
        room[rank] = std::min(room[rank], (most - attempt) * set[rank]);
      }
      TakeOff(std::move(room), kMostTakenOfSets, false);
    }
  }

  /// Makes an order within `room`; keeps it if it fits and is the best so far. False if there is
  /// none. `is_last`: it is what to show if none fits.
  bool Try(const Room& room, bool is_last) {
    options_.room = room;
    AutoReport report;
    Result<Schedule> made = Search(generator_, options_, report);
    if (!made) {
      if (is_last) {
        last_ = std::move(made);
      }
      return false;
    }
    over_ = OverOf(*made.value, machine_);

    // No order can beat the bound of the first attempt, which has most room.
    tried_ += report.tried;
    planned_ += report.planned;
    bound_ = bound_ > 0 ? bound_ : report.lower_bound;

    const Rating rating = RatingOf(report, room);
    const bool is_best = Fits() && (!best_ || rating < best_rating_);
    if (is_best || (is_last && !best_)) {
      report_ = report;
    }
    report_.tried = tried_;
    report_.planned = planned_;
    report_.lower_bound = bound_;

    if (is_best) {
      best_ = *std::move(made.value);
      best_rating_ = rating;
    } else if (is_last) {
      last_ = std::move(made);
    }
    return true;
  }

  /// The smaller, the better. A search rates an order by its window, its makespan and what it holds
  /// beyond the memory; for a fixed rule only the room counts, and more is better.
  using Rating = std::array<std::int64_t, 3>;
  Rating RatingOf(const AutoReport& report, const Room& room) const {
    if (!generator_.automatic) {
      return {-std::accumulate(room.begin(), room.end(), std::int64_t{0}), 0, 0};
    }
    return {report.window, report.makespan, std::ranges::max(over_)};
  }

  bool Fits() const { return std::ranges::max(over_) <= 0; }
  static bool IsStopped() { return StopOnSignal::Requested(); }
  /// Whether there is nothing better to look for.
  bool IsDone() const {
    return IsStopped() ||
           (best_ && (is_first_ || (generator_.automatic && best_rating_.front() <= bound_)));
  }

  const Generator& generator_;
  GeneratorOptions options_;
  const CostedMachine& machine_;
  Room first_;             ///< What one copy of the weights leaves.
  Room high_;              ///< The last that was too much.
  Room over_;              ///< What the last attempt holds beyond `--memory`.
  bool is_first_ = false;  ///< The first attempt fits: nothing need be given back.
  std::optional<Schedule> best_;
  Rating best_rating_{};
  Result<Schedule> last_;  ///< What to return if nothing fits.
  AutoReport report_;
  std::int32_t tried_ = 0, planned_ = 0;  ///< Orders tried and planned, over all attempts.
  std::int64_t bound_ = 0;                ///< Lower bound of the first attempt; 0: none yet.
};

}  // namespace

Result<Schedule> GenerateFor(std::string_view name, GeneratorOptions options,
                             const CostedMachine* machine) {
  const Generator* generator = FindGenerator(name);
  if (generator == nullptr || generator->placement == nullptr) {
    return GenerateWithFlags(name, options);
  }

  // Without a machine, the generator falls back on times of its own.
  if (machine != nullptr) {
    AddEstimates(*generator, options, *machine);
  }

  AutoReport report;
  Result<Schedule> made = machine == nullptr || options.room.empty()
                              ? Search(*generator, options, report)
                              : RoomSearch(*generator, options, *machine).Run(report);
  if (made && generator->automatic) {
    Describe(generator->name, report, machine != nullptr);
  }
  return made;
}

}  // namespace stagecraft
