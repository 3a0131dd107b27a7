#include "tools/arguments/cost_arguments.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/tables.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/quantity.h"
#include "tools/file_access.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
// Titles in the help. `--help=` calls a group by the first word of its title.
const char* const kCostGroup = "Costs (one value, or several: 1ms,2ms,2ms,1ms)";
const char* const kMachineGroup = "Machine";
const char* const kProfileGroup = "Profile";

/// The values between the commas of `text`, each read by `parse`.
template <typename T, typename Parse>
std::vector<T> ParseList(const std::string& flag, const std::string& text, Parse parse) {
  std::vector<T> values;
  for (const std::string_view part : SplitAtCommas(text)) {
    values.push_back(FlagValue<T>(flag, parse(part)));
  }
  return values;
}

/// `2=0.5`: a rank and its speed.
std::pair<std::int32_t, double> ParseSpeed(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    throw CLI::ValidationError("--speed",
                               fmt::format("expected RANK=FACTOR such as 2=0.5, got '{}'", text));
  }
  return {FlagValue("--speed", ParseInteger(text.substr(0, equals), 0, kMost)),
          FlagValue("--speed", ParsePositive(text.substr(equals + 1)))};
}

}  // namespace

void CostArguments::AddTo(CLI::App& app, Which which) {
  if (which != Which::kSizes) {
    AddTimes(app);
  }
  AddSizes(app);
  AddPer(app);
  if (which == Which::kAll || which == Which::kPlanning) {
    AddTopology(app, which == Which::kAll);
    AddMemory(app);
  }
  AddProfile(app, which != Which::kCosts);
}

void CostArguments::SetCut(const std::string& text) {
  const auto layer = [](std::string_view part) { return ParseInteger(part, 1, kMost); };
  cut_ = ParseList<std::int32_t>("--cut", text, layer);
}

bool CostArguments::AnySizes() const {
  return !profile_.empty() || inline_.AnySize();
}

bool CostArguments::AnyDurations() const {
  return !profile_.empty() || inline_.AnyDuration();
}

bool CostArguments::Any() const {
  return AnySizes() || AnyDurations() || latency_ > Nanoseconds(0) || bandwidth_ > 0 ||
         !speeds_.empty() || stages_.has_value() || !cut_.empty() || !memory_.empty();
}

void CostArguments::AddTimes(CLI::App& app) {
  for (std::size_t i = 0; i < kDurationFlags.size(); ++i) {
    const std::string flag = kDurationFlags[i].flag;
    app.add_option_function<std::string>(
           flag,
           [this, i, flag](const std::string& text) {
             inline_.durations[i] = ParseList<Nanoseconds>(flag, text, ParseDuration);
           },
           kDurationFlags[i].description)
        ->type_name("DURATION")
        ->group(kCostGroup);
  }

  // A cell is made of ops of several kinds, so that it has no entry in the table.
  app.add_option_function<std::string>(
         "--joined",
         [this](const std::string& text) {
           inline_.joined = ParseList<Nanoseconds>("--joined", text, ParseDuration);
         },
         "duration of a cell of ops that run together (DualPipe), listed by the stage of its first "
         "op "
         "[sum of its ops]")
      ->type_name("DURATION")
      ->group(kCostGroup);
}

void CostArguments::AddSizes(CLI::App& app) {
  for (std::size_t i = 0; i < kSizeFlags.size(); ++i) {
    const std::string flag = kSizeFlags[i].flag;
    app.add_option_function<std::string>(
           flag,
           [this, i, flag](const std::string& text) {
             inline_.sizes[i] = ParseList<std::int64_t>(flag, text, ParseBytes);
           },
           kSizeFlags[i].description)
        ->type_name("BYTES")
        ->group(kCostGroup);
  }
}

void CostArguments::AddPer(CLI::App& app) {
  app.add_option_function<std::string>(
         "--costs-per",
         [this](const std::string& word) {
           per_ = static_cast<CostsPer>(ChoiceIndex("--costs-per", word, {"stage", "rank"}));
         },
         fmt::format("what each value above is for: one stage of the schedule, or one rank (1/p of "
                     "the model), shared out over the stages that it holds [{}]",
                     default_per_ == CostsPer::kRank ? "rank" : "stage"))
      ->type_name("stage|rank")
      ->group(kCostGroup);
}

void CostArguments::AddMemory(CLI::App& app) {
  app.add_option_function<std::string>(
         "--memory",
         [this](const std::string& text) {
           memory_ = ParseList<std::int64_t>("--memory", text, ParseBytes);
         },
         "all that a rank may hold, or one value per rank: weights in all their copies, gradients, "
         "optimizer, activations, buffers, such as 40GB [unlimited]")
      ->type_name("BYTES")
      ->group(kMachineGroup);
}

void CostArguments::AddTopology(CLI::App& app, bool with_send) {
  app.add_option_function<std::string>(
         "--latency",
         [this](const std::string& text) {
           latency_ = FlagValue("--latency", ParseDuration(text));
         },
         "latency of every transfer [0]")
      ->type_name("DURATION")
      ->group(kMachineGroup);

  app.add_option_function<std::string>(
         "--bandwidth",
         [this](const std::string& text) {
           bandwidth_ = FlagValue("--bandwidth", ParseBandwidth(text));
         },
         "bandwidth of every channel, such as 1GB/s [unlimited]")
      ->type_name("BYTES/s")
      ->group(kMachineGroup);

  // Several pairs in one word and the flag repeated come to the same.
  app.add_option_function<std::vector<std::string>>(
         "--speed",
         [this](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             for (const std::string_view part : SplitAtCommas(text)) {
               speeds_.push_back(ParseSpeed(part));
             }
           }
         },
         "speed of a rank relative to the others; may be repeated [1]")
      ->type_name("RANK=FACTOR")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kMachineGroup);

  if (!with_send) {
    return;
  }
  AddChoice(app, "--send", {"eager", "rendezvous", "blocking"}, send_,
            "what a sender waits for: nothing, the receive for the transfer only, or the arrival "
            "[eager]")
      ->group(kMachineGroup);
}

void CostArguments::AddProfile(CLI::App& app, bool with_cut) {
  app.add_option("--profile", profile_,
                 fmt::format("measured costs: a *.profile.json, a PipeDream graph.txt, or the name "
                             "of a shipped profile ({})",
                             fmt::join(ShippedProfileNames(), ", ")))
      ->type_name("FILE")
      ->group(kProfileGroup);

  AddInteger(
      app, "--profile-batch", {1, kMost, "B"}, profile_batch_,
      "samples per micro-batch that the times of a graph.txt are for; its format does not say")
      ->group(kProfileGroup);

  // `--stages` leaves to the program what `--cut` spells out, so that they exclude each other.
  CLI::Option* stages = AddInteger(app, "--stages", {1, kMost, "N"}, stages_,
                                   "stages to cut the layers into; also the default of -p");
  stages->group(kProfileGroup);
  if (with_cut) {
    app.add_option_function<std::string>(
           "--cut", [this](const std::string& text) { SetCut(text); },
           "the first layer, from 0, of each stage but the first, such as 8,15,25 [so that the "
           "busiest rank has least to do]")
        ->type_name("I,J,...")
        ->excludes(stages)
        ->group(kProfileGroup);
  }

  app.add_option_function<std::string>(
         "--memory-bandwidth",
         [this](const std::string& text) {
           memory_bandwidth_ = FlagValue("--memory-bandwidth", ParseBandwidth(text));
         },
         "memory bandwidth of the device, from which steps and predictions that were not measured "
         "are "
         "derived [500GB/s]")
      ->type_name("BYTES/s")
      ->group(kProfileGroup);

  app.add_option_function<std::string>(
         "--microbatch-size",
         [this](const std::string& text) {
           microbatch_size_ = FlagValue("--microbatch-size", ParsePositive(text));
         },
         "samples per micro-batch [what was measured, the smallest of several; without a profile "
         "1]")
      ->type_name("B")
      ->group(kProfileGroup);
}

CostSource CostArguments::Load() const {
  GivenCosts given = Given(inline_);
  given.profile = LoadProfile();
  return CostSource(std::move(given));
}

std::optional<Profile> CostArguments::LoadProfile() const {
  if (profile_.empty()) {
    // These flags say something about a profile, and nothing without one.
    if (profile_batch_) {
      throw CommandFailure(ExitCode::kUsage, "--profile-batch",
                           "is for a --profile that is a graph.txt, but none is given");
    }
    if (memory_bandwidth_) {
      throw CommandFailure(ExitCode::kUsage, "--memory-bandwidth",
                           "gives the time of steps that a --profile lacks, but none is given; "
                           "expected --step");
    }
    if (!cut_.empty()) {
      throw CommandFailure(ExitCode::kUsage, "--cut",
                           "cuts the layers of a --profile, but none is given");
    }
    return std::nullopt;
  }

  const std::string file = FindProfile(profile_);
  const std::string text = ReadFile(file);
  if (!file.ends_with(".txt")) {
    return ValueOrUsage(ParseProfile(text, file));
  }
  if (!profile_batch_) {
    throw CommandFailure(ExitCode::kUsage, file,
                         "a PipeDream graph does not name its batch size; expected "
                         "--profile-batch B beside it");
  }
  return ValueOrUsage(ParsePipeDreamGraph(text, file, *profile_batch_));
}

GivenCosts CostArguments::Given(InlineCosts flags) const {
  return {.flags = std::move(flags),
          .per = IdlePer().empty() ? per_.value_or(default_per_) : default_per_,
          .profile = std::nullopt,
          .microbatch_size = microbatch_size_,
          .cut = cut_,
          .memory_bandwidth = memory_bandwidth_.value_or(GivenCosts{}.memory_bandwidth),
          .speeds = speeds_};
}

CostSource CostArguments::LoadWithDefaults(const StageCosts& assumed) const {
  InlineCosts costs = inline_;
  // A value of 0 assumes nothing: what is not given is derived, as always.
  for (std::size_t i = 0; i < kDurationFlags.size(); ++i) {
    const Nanoseconds value = assumed.*kDurationFlags[i].member;
    if (costs.durations[i].empty() && value > Nanoseconds(0)) {
      costs.durations[i] = {value};
    }
  }

  for (std::size_t i = 0; i < kSizeFlags.size(); ++i) {
    const std::int64_t value = assumed.sizes.*kSizeFlags[i].member;
    if (costs.sizes[i].empty() && value > 0) {
      costs.sizes[i] = {value};
    }
  }

  return CostSource(Given(std::move(costs)));
}

std::optional<std::int64_t> CostArguments::MemoryOf(std::int32_t rank, std::int32_t ranks) const {
  if (memory_.empty()) {
    return std::nullopt;
  }
  if (memory_.Count() > 1 && memory_.Count() != ranks) {
    throw CommandFailure(
        ExitCode::kUsage, "--memory",
        fmt::format("expected 1 value, or {} for {} ranks, got {}", ranks, ranks, memory_.size()));
  }
  return memory_.size() == 1 ? memory_.front() : memory_[rank];
}

void CostArguments::CheckSizesForMemory() const {
  if (HasMemory() && !AnySizes() && AnyDurations()) {
    throw CommandFailure(ExitCode::kUsage, "--memory",
                         "nothing is said to take any; expected --profile, or --activation and "
                         "--parameters");
  }
}

Table<std::int64_t> CostArguments::MemoryOfRanks(std::int32_t ranks) const {
  CheckSizesForMemory();
  Table<std::int64_t> memory;
  for (std::int32_t rank = 0; HasMemory() && rank < ranks; ++rank) {
    memory.push_back(*MemoryOf(rank, ranks));
  }
  return memory;
}

std::vector<IdleFlag> CostArguments::IdlePer() const {
  if (!per_ || inline_.AnyDuration() || inline_.AnySize()) {
    return {};
  }
  return {{"--costs-per", "no flag gives any costs"}};
}

std::vector<IdleFlag> CostArguments::IdleFlags(const CostSource& source,
                                               const Schedule& schedule) const {
  std::vector<IdleFlag> idle = stagecraft::IdleFlags(inline_, schedule);
  for (IdleFlag& flag : IdlePer()) {
    idle.push_back(std::move(flag));
  }

  // A machine matters only to tensors that travel, and its bandwidth only to their bytes.
  const bool has_profile = source.GetProfile().has_value();
  const bool has_machine = latency_ > Nanoseconds(0) || bandwidth_ > 0;
  const bool is_silent = has_machine && !HasTransfers(schedule);
  const char* const why = schedule.shape.ranks == 1 ? "there is one rank, and no transfer"
                                                    : "no rank sends anything to another";
  if (is_silent && latency_ > Nanoseconds(0)) {
    idle.push_back({"--latency", why});
  }
  if (is_silent && bandwidth_ > 0) {
    idle.push_back({"--bandwidth", why});
  } else if (bandwidth_ > 0 && !has_profile && !inline_.Has(InlineCosts::kBoundary)) {
    idle.push_back({"--bandwidth", "boundaries have 0 bytes; give --boundary"});
  }
  return idle;
}

Topology CostArguments::TopologyFor(const Schedule& schedule) const {
  Topology topology;
  topology.latency = latency_;
  topology.bandwidth = bandwidth_;
  topology.send = send_;

  // Ranks that the flag does not name keep the speed of 1.
  for (const auto& [rank, speed] : speeds_) {
    if (rank >= schedule.shape.ranks) {
      throw CommandFailure(
          ExitCode::kUsage, "--speed",
          fmt::format("expected a rank from 0 to {}, got {}", schedule.shape.ranks - 1, rank));
    }
    topology.speed.resize(std::max(topology.speed.Count(), rank + 1), 1);
    topology.speed[rank] = speed;
  }

  return topology;
}

std::optional<std::int32_t> CostArguments::DefaultRanks(const CostSource& source) const {
  if (stages_) {
    return stages_;
  }
  if (!cut_.empty()) {
    return static_cast<std::int32_t>(cut_.size()) + 1;
  }

  // A profile says it only if it has ready stages or a cut of its own.
  const std::optional<Profile>& profile = source.GetProfile();
  if (profile && profile->is_stages) {
    return static_cast<std::int32_t>(profile->layers.size());
  }
  if (profile && profile->cut) {
    return static_cast<std::int32_t>(profile->cut->size()) + 1;
  }
  return std::nullopt;
}

void CostArguments::CheckStages(const GivenSchedule& given) const {
  if (!stages_) {
    return;
  }
  // A generator may put another number of stages on -p ranks: one if all hold the whole model.
  const bool as_generated = given.generator != nullptr && given.options.ranks == *stages_;
  if (!as_generated && *stages_ != given.schedule.shape.stages) {
    throw CommandFailure(ExitCode::kUsage, "--stages",
                         fmt::format("the schedule has {} stages, got {}; expected the same",
                                     given.schedule.shape.stages, *stages_));
  }
}

}  // namespace stagecraft
