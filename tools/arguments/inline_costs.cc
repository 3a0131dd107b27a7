#include "tools/arguments/inline_costs.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "schedules/tables.h"
#include "tools/arguments/quantity.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

using enum InlineCosts::Duration;
using enum InlineCosts::Size;

/// The value for `stage` of a list of one or one per stage.
template <typename T>
T OfStage(const std::vector<T>& values, std::size_t stage) {
  return values.size() == 1 ? values.front() : values[stage];
}

/// Throws `CommandFailure` (usage) unless there are no values, one, or one per stage.
template <typename T>
void CheckLength(const char* flag, const std::vector<T>& values, std::size_t stages) {
  if (values.size() > 1 && values.size() != stages) {
    throw CommandFailure(ExitCode::kUsage, flag,
                         fmt::format("expected 1 value, or {} for {} stages, got {}", stages,
                                     stages, values.size()));
  }
}

/// The same for every flag.
void CheckLengths(const InlineCosts& given, std::size_t stages) {
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
    throw CommandFailure(ExitCode::kUsage, flag,
                         fmt::format("{}{} for a stage is out of range; expected at most {}", value,
                                     factor == 1 ? "" : fmt::format(" times {}", factor), limit));
  }
  return value * factor;
}

/// Puts what was given for `stage` into `costs`, `factor` times where it belongs to a micro-batch.
void ApplyGiven(const InlineCosts& given, std::int32_t factor, std::size_t stage,
                StageCosts& costs) {
  for (std::size_t i = 0; i < kDurationFlags.size(); ++i) {
    // What was not given keeps what the profile says, or 0.
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

/// The halves of a backward that is given.
void SplitBackward(const InlineCosts& given, StageCosts& costs) {
  for (const InlineCosts::Duration half : {kI, kW}) {
    const Nanoseconds time = costs.*kDurationFlags[half].member;
    if (given.Has(half) && given.Has(kB) && time > costs.backward) {
      throw CommandFailure(ExitCode::kUsage, kDurationFlags[half].flag,
                           fmt::format("{} is more than the {} of --backward, whose half it is; "
                                       "expected at most that",
                                       FormatDuration(time), FormatDuration(costs.backward)));
    }
  }

  // A half that was not given is what the other half leaves; without either, both are equal.
  if (!given.Has(kI)) {
    costs.backward_input = given.Has(kW)
                               ? std::max(Nanoseconds(0), costs.backward - costs.backward_weight)
                               : costs.backward / 2;
  }
  if (!given.Has(kW)) {
    costs.backward_weight = std::max(Nanoseconds(0), costs.backward - costs.backward_input);
  }
}

/// A backward that is not given, from its halves, or else from the forward.
void DeriveBackward(const InlineCosts& given, bool has_profile, StageCosts& costs) {
  if (!given.Has(kI) && !given.Has(kW)) {
    if (given.Has(kF) && !has_profile) {
      costs.backward = 2 * costs.forward;
      SplitBackward(given, costs);
    }
    return;
  }
  if (!given.Has(kW) && !has_profile) {
    costs.backward_weight = costs.backward_input;
  } else if (!given.Has(kI) && !has_profile) {
    costs.backward_input = costs.backward_weight;
  }
  costs.backward = costs.backward_input + costs.backward_weight;
}

/// Fills in what follows from the durations that were given. `has_profile`: the profile has said
/// the others, which stay.
void Derive(const InlineCosts& given, bool has_profile, StageCosts& costs) {
  if (given.Has(kB)) {
    SplitBackward(given, costs);
  } else {
    DeriveBackward(given, has_profile, costs);
  }
  if (!given.Has(kF) && !has_profile) {
    costs.forward = costs.backward / 2;
  }
  if (!given.Has(kR) && (given.Has(kF) || !has_profile)) {
    // A recomputation is the forward once more.
    costs.recompute = costs.forward;
  }
}

/// The stages that a value of each part is for, if every stage is on one rank and every part is a
/// rank; else empty.
Table<Table<std::int32_t>> StagesOfParts(const Schedule& schedule, std::int32_t parts) {
  std::int64_t placed = 0;
  for (const std::vector<std::int32_t>& stages : schedule.placement) {
    placed += static_cast<std::int64_t>(stages.size());
    if (stages.empty()) {
      return {};
    }
  }
  const bool each_once = placed == schedule.shape.stages && parts == schedule.shape.ranks;
  return each_once ? schedule.placement : Table<Table<std::int32_t>>{};
}

/// `value` in `count` pieces that differ by 1 at most: piece `index`.
template <typename T>
T Piece(T value, std::int64_t index, std::int64_t count) {
  const T whole = value / count;
  const T rest = value - whole * count;
  return whole + (rest * (index + 1) / count - rest * index / count);
}

/// One value per part as one per stage; nothing if parts and stages don't divide each other.
template <typename T>
std::optional<Table<T>> PerStage(const Table<T>& values, const Schedule& schedule) {
  const std::int32_t parts = values.Count();
  const std::int32_t stages = schedule.shape.stages;
  Table<T> cut(stages, T{});
  // Where every rank has stages of its own, they share the rank's value.
  if (const auto placement = StagesOfParts(schedule, parts); !placement.empty()) {
    for (std::size_t rank = 0; rank < placement.size(); ++rank) {
      const auto count = static_cast<std::int64_t>(placement[rank].size());
      for (std::int64_t i = 0; i < count; ++i) {
        cut[placement[rank][i]] = Piece(values[rank], i, count);
      }
    }
    return cut;
  }

  // Else neighbouring stages share a value, or neighbouring values are added up.
  if (stages % parts != 0 && parts % stages != 0) {
    return std::nullopt;
  }
  for (std::int32_t i = 0; i < std::max(parts, stages); ++i) {
    const std::int32_t part = parts > stages ? i : i / (stages / parts);
    const std::int32_t stage = parts > stages ? i / (parts / stages) : i;
    const std::int32_t count = std::max(1, stages / parts);
    cut[stage] += Piece(values[part], stage % count, count);
  }
  return cut;
}

/// Shares out one list of values, and notes in `shared` what became of it.
template <typename T>
void ShareOutValues(Table<T>& values, const Schedule& schedule, std::int32_t parts,
                    SharedOut& shared) {
  const std::int32_t count = values.Count();
  if (count == 0) {
    return;
  }
  // A list for neither all ranks nor one is left alone; as long as the stages, it is per stage.
  if (count != 1 && count != parts) {
    shared.per_stage |= count == schedule.shape.stages;
    return;
  }

  // Too large for any check behind this stays too large, however many are added up.
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  for (T& value : values) {
    value = std::min(value, T{kMost / parts});
  }
  const T one = values.front();
  const Table<T> of_parts = count == 1 ? Table<T>(parts, one) : values;
  if (std::optional<Table<T>> cut = PerStage(of_parts, schedule)) {
    values = *std::move(cut);
    shared.any = true;
  } else if (count == 1) {
    values = {one * parts / schedule.shape.stages};
    shared.any = true;
  }
}

/// How the halves of a backward that is given came about; nothing if they were given.
std::optional<std::string> DerivedHalves(const InlineCosts& given) {
  const bool has_input = given.Has(kI);
  const bool has_weight = given.Has(kW);
  if (has_input && has_weight) {
    return std::nullopt;
  }
  if (!has_input && !has_weight) {
    return "backward_input and backward_weight: half of --backward each, since neither is given";
  }
  return fmt::format("{}: --backward without {}", has_input ? "backward_weight" : "backward_input",
                     has_input ? "--backward-input" : "--backward-weight");
}

/// How a backward that is not given came about, where there is no profile; nothing if no op is a
/// whole one and both halves are given.
std::optional<std::string> DerivedWhole(const InlineCosts& given, bool whole, bool split) {
  const bool has_input = given.Has(kI);
  const bool has_weight = given.Has(kW);
  // One half alone stands for both, so that the whole is twice that.
  if (has_input != has_weight) {
    return fmt::format("backward: twice {}, since its other half is not given",
                       has_input ? "--backward-input" : "--backward-weight");
  }

  if (has_input) {
    return whole ? std::optional<std::string>(
                       "backward: backward_input plus backward_weight, since it is not given")
                 : std::nullopt;
  }
  return given.Has(kF)
             ? std::optional(fmt::format("backward: twice --forward{}, since it is not given",
                                         split ? ", and half of that for each of its halves" : ""))
             : std::nullopt;
}

/// How the backward, or its halves, came about; nothing if all that is used was given.
std::optional<std::string> DerivedBackward(const InlineCosts& given, OpKinds used,
                                           bool has_profile) {
  // What no op of the schedule needs, nobody need know.
  const bool whole = used.Has(OpKind::kBackward);
  const bool split = used.Has(OpKind::kBackwardInput) || used.Has(OpKind::kBackwardWeight);
  if (!whole && !split) {
    return std::nullopt;
  }

  if (given.Has(kB)) {
    return split ? DerivedHalves(given) : std::nullopt;
  }
  if (!has_profile) {
    return DerivedWhole(given, whole, split);
  }

  return whole && (given.Has(kI) || given.Has(kW))
             ? std::optional<std::string>(
                   "backward: backward_input plus backward_weight, since it is not given")
             : std::nullopt;
}

/// What takes no time because nobody said how long it takes.
std::vector<std::string> DerivedZeros(const InlineCosts& given, OpKinds used) {
  std::vector<std::string> sentences;
  if (!given.Has(kF) && !given.Has(kB) && !given.Has(kI) && !given.Has(kW)) {
    sentences.emplace_back("forward and backward: 0, since neither is given");
  }
  const auto add = [&](OpKind kind, InlineCosts::Duration flag, std::string_view name) {
    if (used.Has(kind) && !given.Has(flag)) {
      sentences.push_back(fmt::format("{}: 0, since it is not given", name));
    }
  };
  add(OpKind::kStep, kS, "step");
  add(OpKind::kPredict, kP, "predict");
  add(OpKind::kAllReduce, kA, "all-reduce");
  return sentences;
}

}  // namespace

bool InlineCosts::AnyDuration() const {
  return !joined.empty() || std::any_of(durations.begin(), durations.end(),
                                        [](const auto& values) { return !values.empty(); });
}

bool InlineCosts::AnySize() const {
  return std::any_of(sizes.begin(), sizes.end(),
                     [](const auto& values) { return !values.empty(); });
}

void ApplyInline(const InlineCosts& given, std::int32_t factor, bool has_profile,
                 Table<StageCosts>& costs) {
  CheckLengths(given, costs.size());
  for (std::size_t stage = 0; stage < costs.size(); ++stage) {
    ApplyGiven(given, factor, stage, costs[stage]);
    Derive(given, has_profile, costs[stage]);

    // What an F that an R follows keeps is its input: the output of the stage before.
    if (given.Has(kBoundary)) {
      costs[stage].sizes.input_bytes = stage == 0 ? 0 : costs[stage - 1].sizes.output_bytes;
    }
  }
}

SharedOut ShareOut(const InlineCosts& given, const Schedule& schedule, std::int32_t parts) {
  SharedOut shared{given};
  for (Table<Nanoseconds>& values : shared.costs.durations) {
    ShareOutValues(values, schedule, parts, shared);
  }
  ShareOutValues(shared.costs.joined, schedule, parts, shared);
  for (std::size_t i = 0; i < kSizeFlags.size(); ++i) {
    if (i != kBoundary) {
      ShareOutValues(shared.costs.sizes[i], schedule, parts, shared);
    }
  }
  return shared;
}

std::vector<std::string> DerivedFromInline(const InlineCosts& given, OpKinds used,
                                           bool has_profile) {
  std::vector<std::string> sentences;
  const auto add = [&](const std::optional<std::string>& sentence) {
    if (sentence) {
      sentences.push_back(*sentence);
    }
  };
  // Then there is nothing that any of the others could follow from.
  if (!has_profile && !given.AnyDuration()) {
    return {"all durations: 0, since no duration and no --profile is given"};
  }

  const bool backward_given = given.Has(kB) || given.Has(kI) || given.Has(kW);
  if (!has_profile && !given.Has(kF) && backward_given) {
    add("forward: half of the backward, since it is not given");
  }
  add(DerivedBackward(given, used, has_profile));
  if (used.Has(OpKind::kRecompute) && given.Has(kF) && !given.Has(kR)) {
    add("recompute: as long as --forward, since it is not given");
  }
  if (!has_profile) {
    for (std::string& sentence : DerivedZeros(given, used)) {
      sentences.push_back(std::move(sentence));
    }
  }
  return sentences;
}

std::vector<IdleFlag> IdleFlags(const InlineCosts& given, const Schedule& schedule) {
  const OpKinds used = KindsOf(schedule);
  const bool whole = used.Has(OpKind::kBackward);
  const bool split = used.Has(OpKind::kBackwardInput) || used.Has(OpKind::kBackwardWeight);
  std::vector<IdleFlag> idle;
  const auto check = [&](bool is_given, const char* flag, bool matters, const char* why) {
    if (is_given && !matters) {
      idle.push_back({flag, why});
    }
  };

  // A backward and its halves follow from each other where one of them is not given.
  const bool halves = given.Has(kI) && given.Has(kW);
  check(given.Has(kB), "--backward",
        whole || (split && !halves) || (!split && !whole && !given.Has(kF)),
        split ? "both halves of the backward are given, and no op is a whole one"
              : "there is no backward");
  const bool halves_matter = split || (whole && !given.Has(kB));
  const char* const no_halves = "there is no split backward (I, W)";
  check(given.Has(kI), "--backward-input", halves_matter, no_halves);
  check(given.Has(kW), "--backward-weight", halves_matter, no_halves);

  check(given.Has(kR), "--recompute", used.Has(OpKind::kRecompute),
        "there is no recomputation (R)");
  check(given.Has(kS), "--step", used.Has(OpKind::kStep), "there is no optimizer step (S)");
  check(given.Has(kP), "--predict", used.Has(OpKind::kPredict), "there is no prediction (P)");
  check(given.Has(kA), "--allreduce", used.Has(OpKind::kAllReduce),
        "there is no all-reduce (A), since no stage has replicas");
  check(!given.joined.empty(), "--joined", HasCells(schedule), "there is no cell of joined ops");
  check(given.Has(kReleased), "--released", used.Has(OpKind::kBackwardInput),
        "there is no backward for the input alone (I)");
  return idle;
}

}  // namespace stagecraft
