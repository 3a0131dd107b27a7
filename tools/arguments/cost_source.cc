#include "tools/arguments/cost_source.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

#include "tools/arguments/quantity.h"
#include "traces/placed_cut.h"

namespace stagecraft {
namespace {

/// Samples per micro-batch: as given, else the smallest that was measured, else 1.
double SizeOf(const GivenCosts& given) {
  if (given.microbatch_size) {
    return *given.microbatch_size;
  }
  return given.profile ? static_cast<double>(given.profile->microbatch_sizes.front()) : 1;
}

/// One layer per stage, of a profile that has ready stages. Throws `CommandFailure` (usage) if the
/// schedule has another number of stages.
Partition ReadyStages(const Profile& profile, std::int32_t stages) {
  if (profile.layers.size() != static_cast<std::size_t>(stages)) {
    throw CommandFailure(ExitCode::kUsage, "--profile",
                         fmt::format("holds {} ready stages, but the schedule has {}; expected "
                                     "as many",
                                     profile.layers.size(), stages));
  }
  Partition partition;
  for (std::int32_t begin = 0; begin <= stages; ++begin) {
    partition.begin.push_back(begin);
  }
  return partition;
}

/// Rounded to whole nanoseconds.
std::string TimeToText(double nanoseconds) {
  return FormatDuration(Nanoseconds(std::llround(nanoseconds)));
}

/// As the sentence on a cut has it.
std::string_view WordsFor(Passes passes) {
  return passes == Passes::kForward ? "forward" : "forward + backward";
}

/// How good the cut is, for whoever wonders whether another would be better.
std::string SentenceOf(const PlacedCut& cut, const CutGoal& goal, std::size_t ranks) {
  const bool is_even =
      std::all_of(goal.speed.begin(), goal.speed.end(), [](double speed) { return speed == 1; });
  const std::string busiest =
      fmt::format("cut by time ({}, at {}): the busiest rank takes {} for a micro-batch",
                  WordsFor(goal.passes), is_even ? "equal speeds" : "the speeds that --speed gives",
                  TimeToText(cut.load.busiest_rank));

  // The search gave up before a proof, so that only the bound is certain.
  if (!cut.is_proved) {
    return fmt::format("{}; total / {} is {}, and no cut takes less", busiest,
                       is_even ? fmt::format("{} ranks", ranks) : "speeds of all ranks",
                       TimeToText(cut.bound));
  }

  return cut.least < cut.load.busiest_rank
             ? fmt::format("{}; {} would do, with stages that are less even", busiest,
                           TimeToText(cut.least))
             : busiest + ", and no cut takes less";
}

}  // namespace

CostSource::CostSource(GivenCosts given)
    : given_(std::move(given)), microbatch_size_(SizeOf(given_)) {}

Costs CostSource::For(const Schedule& schedule, const CostScale& scale) const {
  const std::int32_t stages = schedule.shape.stages;
  Costs costs;
  if (given_.profile) {
    costs = FromProfile(schedule, scale.factor);
  } else {
    costs.stages.resize(static_cast<std::size_t>(stages));
    costs.microbatch_size = microbatch_size_ * scale.factor;
    if (scale.factor != 1) {
      costs.derived.push_back(
          fmt::format("costs of a batch: {} times those of a micro-batch", scale.factor));
    }
  }

  // Values per rank become values per stage, unless there is one stage for each rank anyway.
  const std::int32_t parts = scale.parts > 0 ? scale.parts : schedule.shape.ranks;
  const bool shares_out = given_.per == CostsPer::kRank && parts != stages;
  const SharedOut flags =
      shares_out ? ShareOut(given_.flags, schedule, parts) : SharedOut{given_.flags};
  ApplyInline(flags.costs, scale.factor, given_.profile.has_value(), costs.stages);

  // Whatever was neither measured nor given is reported as derived.
  for (std::string& sentence :
       DerivedFromInline(given_.flags, KindsOf(schedule), given_.profile.has_value())) {
    costs.derived.push_back(std::move(sentence));
  }
  if (flags.any) {
    costs.derived.push_back(
        fmt::format("{} stage{}: the costs that the flags give for each of {} ranks, {}", stages,
                    stages == 1 ? "" : "s", parts,
                    stages > parts ? "divided over the stages that it holds" : "added up"));
  }
  if (flags.per_stage) {
    costs.derived.push_back(
        fmt::format("flags with {} values: one per stage, taken as they are", stages));
  }
  return costs;
}

std::string CostSource::Basis(std::int32_t parts) const {
  if (!given_.flags.AnyDuration() && !given_.flags.AnySize()) {
    return given_.profile ? "costs from the profile" : "no costs given";
  }
  std::string basis =
      given_.profile ? "costs from the profile, and from flags " : "costs of flags ";
  return basis +
         (given_.per == CostsPer::kStage
              ? "per stage"
              : fmt::format("per rank (1/{} of the model, shared out over its stages)", parts));
}

CostSource::ChosenCut CostSource::CutFor(const Schedule& schedule) const {
  const Profile& profile = *given_.profile;
  const auto stages = static_cast<std::size_t>(schedule.shape.stages);
  // What was asked for comes first, then what the profile is cut into, then our own choice.
  if (!given_.cut.empty()) {
    if (given_.cut.size() + 1 != stages) {
      throw CommandFailure(
          ExitCode::kUsage, "--cut",
          fmt::format("makes {} stages, but {} has {}; expected the first layers of {} further "
                      "stages",
                      given_.cut.size() + 1, schedule.name.empty() ? "the schedule" : schedule.name,
                      stages, stages - 1));
    }
    return {ValueOrUsage(PartitionAt(profile, given_.cut)), "cut as --cut says"};
  }

  if (profile.is_stages) {
    return {ReadyStages(profile, schedule.shape.stages),
            "stages as the profile has them, which are not cut"};
  }
  if (profile.cut && profile.cut->size() + 1 == stages) {
    return {ValueOrUsage(PartitionAt(profile, *profile.cut)), "cut as the profile says"};
  }

  return CutByTime(schedule);
}

CutGoal CostSource::GoalFor(const Schedule& schedule) const {
  CutGoal goal;
  goal.passes = schedule.mode == Mode::kForward ? Passes::kForward : Passes::kBoth;
  for (const auto& [rank, speed] : given_.speeds) {
    const auto index = static_cast<std::size_t>(rank);
    if (index < schedule.placement.size()) {
      goal.speed.resize(schedule.placement.size(), 1);
      goal.speed[index] = speed;
    }
  }
  return goal;
}

CostSource::ChosenCut CostSource::CutByTime(const Schedule& schedule) const {
  const Placement& placement = schedule.placement;
  const CutGoal goal = GoalFor(schedule);
  const auto known = cuts_by_time_.find({placement, goal});
  if (known != cuts_by_time_.end()) {
    return known->second;
  }

  const Profile& profile = *given_.profile;
  const PlacedCut cut = ValueOrUsage(CutForPlacement(profile, placement, microbatch_size_, goal));
  // What a flag replaces has no part in the cut, so nothing is claimed of it.
  std::string sentence = given_.flags.AnyDuration()
                             ? fmt::format("cut by the profile's times, {}", WordsFor(goal.passes))
                             : SentenceOf(cut, goal, placement.size());
  if (profile.cut) {
    sentence += profile.cut->empty() ? "; the profile itself names one stage"
                                     : fmt::format("; the profile's own cut is for {} stages",
                                                   profile.cut->size() + 1);
  }
  return cuts_by_time_[{placement, goal}] = {cut.partition, std::move(sentence)};
}

OpKinds CostSource::KindsFromProfile(OpKinds used) const {
  using enum InlineCosts::Duration;
  const InlineCosts& flags = given_.flags;
  OpKinds kinds;

  // What a flag gives, or what follows from a flag, the profile need not say.
  const auto keep = [&](OpKind kind, bool replaced) {
    if (used.Has(kind) && !replaced) {
      kinds.Add(kind);
    }
  };

  keep(OpKind::kBackward, flags.Has(kB));
  keep(OpKind::kBackwardInput, flags.Has(kI) || flags.Has(kB));
  keep(OpKind::kBackwardWeight, flags.Has(kW) || flags.Has(kB));
  keep(OpKind::kRecompute, flags.Has(kR) || flags.Has(kF));
  keep(OpKind::kStep, flags.Has(kS));
  keep(OpKind::kPredict, flags.Has(kP));
  keep(OpKind::kAllReduce, flags.Has(kA));

  return kinds;
}

Costs CostSource::FromProfile(const Schedule& schedule, std::int32_t factor) const {
  const Profile& profile = *given_.profile;
  ChosenCut chosen = CutFor(schedule);
  Costs costs = ValueOrUsage(StageCostsOf(
      profile, chosen.partition,
      {microbatch_size_ * factor, given_.memory_bandwidth, KindsFromProfile(KindsOf(schedule))}));

  // Flags replace these sizes, so that nobody need know how the profile's were derived.
  std::erase_if(costs.derived, [&](const std::string& sentence) {
    return (given_.flags.Has(InlineCosts::kActivation) &&
            sentence.starts_with("activation_bytes")) ||
           (given_.flags.Has(InlineCosts::kParameters) &&
            sentence.starts_with("parameter_bytes")) ||
           (given_.flags.Has(InlineCosts::kBoundary) && sentence.starts_with("output_bytes"));
  });

  costs.cut = std::move(chosen.sentence);
  if (!given_.microbatch_size) {
    costs.derived.insert(
        costs.derived.begin(),
        fmt::format("micro-batches of {}: the {} size that was measured, since none is given",
                    FormatSamples(microbatch_size_),
                    profile.microbatch_sizes.size() == 1 ? "only" : "smallest"));
  }

  return costs;
}

std::vector<Diagnostic> WarningsOf(const std::vector<IdleFlag>& idle, const std::string& what) {
  std::vector<Diagnostic> warnings;
  // A flag that changes nothing may be a mistake, but is no error.
  for (const IdleFlag& flag : idle) {
    Diagnostic& warning = warnings.emplace_back();
    warning.severity = Severity::kWarning;
    warning.where = flag.flag;
    warning.message = fmt::format("has no effect on {}: {}", what, flag.reason);
  }
  return warnings;
}

}  // namespace stagecraft
