#include "tools/cost_source.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include <fmt/format.h>

namespace stagecraft {
namespace {

/// Positions in `kDurationFlags`, by the op's letter.
enum DurationIndex : std::size_t { kF, kB, kI, kW, kR };

/// The value for `stage` of a list of one or `stages`.
template <typename T>
T OfStage(const std::vector<T>& values, std::size_t stage) {
  return values.size() == 1 ? values.front() : values[stage];
}

template <typename T>
void CheckLength(const char* flag, const std::vector<T>& values, std::int32_t stages) {
  if (values.size() > 1 && values.size() != static_cast<std::size_t>(stages)) {
    throw CommandFailure(ExitCode::kUsage, flag,
                         fmt::format("expected 1 value, or {} for {} stages, got {}", stages,
                                     stages, values.size()));
  }
}

void CheckLengths(const InlineCosts& given, std::int32_t stages) {
  for (std::size_t i = 0; i < kDurationFlags.size(); ++i) {
    CheckLength(kDurationFlags[i].flag, given.durations[i], stages);
  }
  for (std::size_t i = 0; i < kSizeFlags.size(); ++i) {
    CheckLength(kSizeFlags[i].flag, given.sizes[i], stages);
  }
  CheckLength("--joined", given.joined, stages);
}

/// value * factor, or a fault if that is more than `limit`.
std::int64_t Scaled(std::int64_t value, std::int32_t factor, std::int64_t limit, const char* flag) {
  if (value > limit / factor) {
    throw CommandFailure(
        ExitCode::kUsage, flag,
        fmt::format("{} times {} is out of range; expected at most {}", value, factor, limit));
  }
  return value * factor;
}

void ApplyGiven(const InlineCosts& given, std::int32_t factor, std::size_t stage,
                StageCosts& costs) {
  for (std::size_t i = 0; i < kDurationFlags.size(); ++i) {
    if (!given.durations[i].empty()) {
      costs.*kDurationFlags[i].member = Nanoseconds(
          Scaled(OfStage(given.durations[i], stage).count(), kDurationFlags[i].scales ? factor : 1,
                 kMaxDuration.count(), kDurationFlags[i].flag));
    }
  }
  for (std::size_t i = 0; i < kSizeFlags.size(); ++i) {
    if (!given.sizes[i].empty()) {
      costs.sizes.*kSizeFlags[i].member =
          Scaled(OfStage(given.sizes[i], stage), kSizeFlags[i].scales ? factor : 1, kMaxBytes,
                 kSizeFlags[i].flag);
    }
  }
  if (!given.joined.empty()) {
    costs.joined = Nanoseconds(
        Scaled(OfStage(given.joined, stage).count(), factor, kMaxDuration.count(), "--joined"));
  }
}

/// Fills in what follows from the flags that were given: B from I and W, or I and W from B; R.
void DeriveFromGiven(const InlineCosts& given, StageCosts& costs) {
  const auto has = [&](DurationIndex i) { return !given.durations[i].empty(); };
  if (has(kB)) {
    if (!has(kI)) {
      costs.backward_input = has(kW)
                                 ? std::max(Nanoseconds(0), costs.backward - costs.backward_weight)
                                 : costs.backward / 2;
    }
    if (!has(kW)) {
      costs.backward_weight = std::max(Nanoseconds(0), costs.backward - costs.backward_input);
    }
  } else if (has(kI) || has(kW)) {
    costs.backward = costs.backward_input + costs.backward_weight;
  }
  if (has(kF) && !has(kR)) {
    costs.recompute = costs.forward;
  }
}

std::array<bool, kOpKinds> KindsUsed(const Schedule& schedule) {
  std::array<bool, kOpKinds> used{};
  for (const std::vector<Op>& program : schedule.programs) {
    for (const Op& op : program) {
      used[static_cast<std::size_t>(op.kind)] = true;
    }
  }
  return used;
}

bool GivesNoDuration(const InlineCosts& given) {
  return given.joined.empty() && std::all_of(given.durations.begin(), given.durations.end(),
                                             [](const auto& values) { return values.empty(); });
}

/// One sentence per derivation that this schedule's figures rest on.
void DescribeDerived(const InlineCosts& given, const std::array<bool, kOpKinds>& used,
                     std::vector<std::string>& derived) {
  const auto has = [&](DurationIndex i) { return !given.durations[i].empty(); };
  const auto uses = [&](OpKind kind) { return used[static_cast<std::size_t>(kind)]; };
  const bool split = uses(OpKind::kBackwardInput) || uses(OpKind::kBackwardWeight);
  if (split && has(kB) && !has(kI) && !has(kW)) {
    derived.emplace_back(
        "backward_input and backward_weight: half of --backward each, since neither is given");
  } else if (split && has(kB) && has(kI) != has(kW)) {
    derived.push_back(fmt::format("{}: --backward without {}",
                                  has(kI) ? "backward_weight" : "backward_input",
                                  has(kI) ? "--backward-input" : "--backward-weight"));
  }
  if (uses(OpKind::kBackward) && !has(kB) && (has(kI) || has(kW))) {
    derived.emplace_back("backward: backward_input plus backward_weight, since it is not given");
  }
  if (uses(OpKind::kRecompute) && has(kF) && !has(kR)) {
    derived.emplace_back("recompute: as long as --forward, since it is not given");
  }
}

/// What an F that an R follows keeps is its input: the output of the stage before.
void DeriveInputs(const InlineCosts& given, const Costs& scaled, std::size_t stage,
                  StageCosts& costs) {
  if (!given.sizes[0].empty()) {
    costs.sizes.input_bytes = stage == 0 ? 0 : scaled.stages[stage - 1].sizes.output_bytes;
  }
}

/// One value per stage out of one per part, or for all parts, of a model that is cut into `stages`
/// instead: a part's value over its stages, or the sum over a stage's parts. Whether it was done.
template <typename T>
bool Recut(std::vector<T>& values, std::int32_t parts, std::int32_t stages) {
  const auto count = static_cast<std::int32_t>(values.size());
  if (count == 1) {
    // Too large for any check behind this stays too large.
    constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
    const T most{kMost / parts};
    values.front() = std::min(values.front(), most) * parts / stages;
    return true;
  }
  if (count != parts || (stages % parts != 0 && parts % stages != 0)) {
    return false;
  }
  std::vector<T> cut;
  for (std::int32_t stage = 0; stage < stages; ++stage) {
    if (stages > parts) {
      const std::int32_t per_part = stages / parts;
      cut.push_back(values[static_cast<std::size_t>(stage / per_part)] / per_part);
    } else {
      const auto begin = values.begin() + stage * (parts / stages);
      cut.push_back(std::accumulate(begin, begin + parts / stages, T{}));
    }
  }
  values = std::move(cut);
  return true;
}

Partition WholePartition(const Profile& profile, std::int32_t stages) {
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

}  // namespace

Costs CostSource::For(const Schedule& schedule, std::int32_t factor) const {
  const std::int32_t stages = schedule.shape.stages;
  CheckLengths(inline_, stages);
  Costs costs;
  if (profile_) {
    costs = FromProfile(stages, factor);
  } else {
    costs.stages.resize(static_cast<std::size_t>(stages));
    costs.microbatch_size = microbatch_size_ * factor;
    if (factor != 1) {
      costs.derived.push_back(
          fmt::format("costs of a batch: {} times those of a micro-batch", factor));
    }
  }
  for (std::size_t stage = 0; stage < costs.stages.size(); ++stage) {
    ApplyGiven(inline_, factor, stage, costs.stages[stage]);
    DeriveFromGiven(inline_, costs.stages[stage]);
    DeriveInputs(inline_, costs, stage, costs.stages[stage]);
  }
  DescribeDerived(inline_, KindsUsed(schedule), costs.derived);
  if (!profile_ && GivesNoDuration(inline_)) {
    costs.derived.emplace_back("all durations: 0, since no duration and no --profile is given");
  }
  return costs;
}

Costs CostSource::ForParts(const Schedule& schedule, std::int32_t parts,
                           std::int32_t factor) const {
  const std::int32_t stages = schedule.shape.stages;
  if (stages == parts) {
    return For(schedule, factor);
  }
  InlineCosts cut = inline_;
  bool any = false;
  for (std::vector<Nanoseconds>& values : cut.durations) {
    any |= Recut(values, parts, stages);
  }
  any |= Recut(cut.joined, parts, stages);
  for (std::size_t i = 0; i < kSizeFlags.size(); ++i) {
    if (kSizeFlags[i].member != &StageSizes::output_bytes) {
      any |= Recut(cut.sizes[i], parts, stages);
    }
  }
  Costs costs = CostSource(std::move(cut), profile_, microbatch_size_).For(schedule, factor);
  if (any) {
    costs.derived.push_back(fmt::format(
        "the model in {} stage{}: what the flags say of {} parts of it, split or added up", stages,
        stages == 1 ? "" : "s", parts));
  }
  return costs;
}

bool CostSource::HasDurations() const {
  return profile_ || !GivesNoDuration(inline_);
}

Costs CostSource::FromProfile(std::int32_t stages, std::int32_t factor) const {
  const Partition partition =
      profile_->is_stages ? WholePartition(*profile_, stages)
                          : ValueOrUsage(BalancedPartition(*profile_, stages, microbatch_size_));
  return ValueOrUsage(StageCostsOf(*profile_, partition, microbatch_size_ * factor));
}

}  // namespace stagecraft
