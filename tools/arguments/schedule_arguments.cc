#include "tools/arguments/schedule_arguments.h"

#include <filesystem>
#include <limits>
#include <numeric>
#include <string_view>
#include <system_error>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schedules/closest.h"
#include "schedules/repeat.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/order_search.h"
#include "tools/arguments/quantity.h"
#include "tools/arguments/schedule_file.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
// What holds without the flags.
constexpr std::int32_t kDefaultRanks = 4;
constexpr std::int32_t kDefaultMicrobatches = 8;
const char* const kGroup = "Schedule (of a NAME; --repeat is for a FILE)";

/// Whether a word that names no generator is meant as a file.
bool LooksLikeFile(const std::string& name) {
  std::error_code error;
  return name == "-" || name.find('/') != std::string::npos || name.ends_with(".sched") ||
         IsTorchFile(name) || std::filesystem::exists(name, error);
}

/// `12`, `2p`, `1.5p`, `40GB`.
Result<ActivationLimit> ParseActivationLimit(std::string_view text) {
  using Unit = ActivationLimit::Unit;
  const bool times_ranks = text.ends_with('p');
  const std::string_view number = text.substr(0, text.size() - (times_ranks ? 1 : 0));

  // A number without a unit counts sets, so that bytes need theirs.
  if (const Result<double> amount = ParsePositive(number)) {
    return {ActivationLimit{*amount.value, times_ranks ? Unit::kTimesRanks : Unit::kSets}, {}};
  }
  if (const Result<std::int64_t> bytes = ParseBytes(text); bytes && !times_ranks) {
    return {ActivationLimit{static_cast<double>(*bytes.value), Unit::kBytes}, {}};
  }

  Diagnostic fault;
  fault.message = fmt::format(
      "expected activation sets such as 12, sets per rank of the pipeline such as 2p, or bytes "
      "such as 40GB, got '{}'",
      text);
  return {std::nullopt, {std::move(fault)}};
}

/// Throws `CommandFailure` (usage) with the name that was probably meant.
[[noreturn]] void RefuseUnknown(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Generator& generator : Generators()) {
    names.push_back(generator.name);
  }
  const std::string_view meant = Closest(name, names);
  throw CommandFailure(ExitCode::kUsage, "",
                       fmt::format("'{}' is neither a file nor the name of a schedule{}", name,
                                   meant.empty() ? "; see `stagecraft schedules`"
                                                 : fmt::format("; did you mean '{}'?", meant)));
}

}  // namespace

void ScheduleArguments::AddTo(CLI::App& app, std::int32_t default_batches) {
  default_batches_ = default_batches;
  flags_ = {
      AddInteger(app, "-p", {1, kMost, "P"}, ranks_,
                 fmt::format("ranks of the pipeline [{}]", kDefaultRanks)),
      AddInteger(app, "-m", {1, kMost, "M"}, microbatches_,
                 fmt::format("micro-batches per batch [{}]", kDefaultMicrobatches)),
      AddInteger(
          app, "-n", {1, kMost, "N"}, batches_,
          fmt::format("batches in a row: one shows how the pipeline fills and drains, many its "
                      "steady state [{}]",
                      default_batches)),
      AddInteger(app, "--update-every", {1, kMost, "K"}, rest_.update_every,
                 "micro-batches per update of an asynchronous schedule [1; pipedream-2bw: P]"),
      AddInteger(app, "--drain-every", {0, kMost, "Q"}, drain_every_,
                 "micro-batches between drains of an asynchronous schedule [0: never]"),
      AddChoice(app, "--horizon", {"exact", "steady", "code"}, rest_.horizon,
                "how far predictions look ahead: the true distance, the paper's closed form, or "
                "what the released code does [exact]"),
      AddChoice(app, "--checkpoint", {"none", "all", "except-last"}, rest_.checkpoint,
                "which micro-batches recompute their forward [none]"),
      AddInteger(app, "--warmup", {0, kMost, "N"}, rest_.warmup,
                 "forwards before the first backward on rank 0 [P - 1]"),
      app.add_flag("--vertical-sync", rest_.vertical_sync,
                   "a micro-batch reads the same version on every stage"),
      AddChoice(app, "--rounding", {"floor", "half-even"}, rest_.rounding,
                "how XPipe rounds a half version [floor]"),
      app.add_option_function<std::string>(
             "--replicas",
             [this](const std::string& text) {
               for (const std::string_view part : SplitAtCommas(text)) {
                 rest_.replicas.push_back(FlagValue("--replicas", ParseInteger(part, 1, kMost)));
               }
             },
             "ranks per stage, such as 3,1 [1,1,...]")
          ->type_name("R,R,..."),
      AddInteger(app, "--chunks", {1, kMost, "V"}, rest_.chunks,
                 fmt::format("stages per rank [{}]", kDefaultChunks)),
      AddInteger(app, "--group", {1, kMost, "G"}, rest_.group,
                 "micro-batches before a rank goes on to its next stage [P]"),
      AddChoice(app, "--cells", {"joined", "separate"}, rest_.cells,
                "whether DualPipe's forwards and backwards that run together are one cell "
                "[joined]"),
      AddChoice(app, "--placement", {"loop", "zigzag", "bidirectional"}, rest_.placement,
                "where a greedy schedule has its stages [zigzag]"),
      app.add_option_function<std::string>(
             "--limit",
             [this](const std::string& text) {
               rest_.limit = FlagValue("--limit", ParseActivationLimit(text));
             },
             "activations a rank may hold, without weights and optimizer: sets (12), sets per rank "
             "of "
             "the pipeline (2p), or bytes (10GB) [1p, none with --memory; greedy: none]")
          ->type_name("LIMIT")};

  // The options in `flags_` cannot be changed; those that CLI11 hands out can.
  for (CLI::Option* option : app.get_options([this](const CLI::Option* candidate) {
         return std::find(flags_.begin(), flags_.end(), candidate) != flags_.end();
       })) {
    option->group(kGroup);
  }

  AddInteger(
      app, "--repeat", {1, kMost, "N"}, repeat_,
      "execute a file N times in a row, each time from the weights that the time before left [1]")
      ->group(kGroup);
}

GeneratorOptions ScheduleArguments::Options(std::optional<std::int32_t> stages) const {
  GeneratorOptions options = rest_;
  options.drain_every = drain_every_.value_or(0);
  options.microbatches = microbatches_.value_or(kDefaultMicrobatches);
  options.batches = batches_.value_or(default_batches_);

  // Without -p: the ranks that --replicas needs, else one per stage.
  if (ranks_) {
    options.ranks = *ranks_;
  } else if (!rest_.replicas.empty()) {
    const std::int64_t sum =
        std::accumulate(rest_.replicas.begin(), rest_.replicas.end(), std::int64_t{0});
    options.ranks = static_cast<std::int32_t>(std::min<std::int64_t>(sum, kMost));
  } else {
    options.ranks = stages.value_or(kDefaultRanks);
  }

  return options;
}

GivenSchedule ScheduleArguments::Load(const std::string& name_or_file,
                                      std::optional<std::int32_t> stages,
                                      const CostedMachine* machine) const {
  GivenSchedule given;
  given.generator = FindGenerator(name_or_file);
  if (given.generator == nullptr) {
    return LoadFile(name_or_file, /*shared_flags=*/false);
  }

  // A generator makes as many batches as -n says, so that repeating would say it twice.
  if (repeat_) {
    throw CommandFailure(ExitCode::kUsage, "--repeat",
                         fmt::format("is for files, but {} is generated; expected -n for more "
                                     "batches",
                                     name_or_file));
  }

  given.options = Options(stages);
  given.schedule = ValueOrUsage(GenerateFor(name_or_file, given.options, machine));
  return given;
}

GivenSchedule ScheduleArguments::LoadPlaced(const std::string& file,
                                            const Placement& placement) const {
  return LoadFile(file, /*shared_flags=*/false, placement);
}

GivenSchedule ScheduleArguments::LoadFileAmongOthers(const std::string& name_or_file) const {
  return LoadFile(name_or_file, /*shared_flags=*/true);
}

GivenSchedule ScheduleArguments::LoadAdjusted(const std::string& name_or_file,
                                              std::optional<std::int32_t> stages,
                                              const Adjust& adjust) const {
  GivenSchedule given;
  given.generator = FindGenerator(name_or_file);
  if (given.generator == nullptr) {
    return LoadFile(name_or_file, /*shared_flags=*/true);
  }
  given.options = Options(stages);
  adjust(*given.generator, given.options);
  given.schedule = ValueOrUsage(GenerateFor(name_or_file, given.options, nullptr));
  return given;
}

std::vector<std::string> ScheduleArguments::FlagsOfGenerators() const {
  std::vector<std::string> given;
  for (const CLI::Option* flag : flags_) {
    if (!flag->empty() && flag->get_name() != "-n") {
      given.push_back(flag->get_name());
    }
  }
  return given;
}

GivenSchedule ScheduleArguments::LoadFile(const std::string& file, bool shared_flags,
                                          const std::optional<Placement>& placement) const {
  if (!LooksLikeFile(file)) {
    RefuseUnknown(file);
  }

  // What a file says of itself cannot be changed by flags.
  for (const CLI::Option* flag : flags_) {
    if (!shared_flags && !flag->empty()) {
      throw CommandFailure(
          ExitCode::kUsage, flag->get_name(),
          fmt::format("is for schedules that are generated, but {} is a file{}", file,
                      flag->get_name() == "-n" ? "; --repeat N executes it N times over" : ""));
    }
  }

  GivenSchedule given;
  given.schedule = ReadSchedule(file, placement);
  if (repeat_) {
    given.schedule = ValueOrUsage(Repeat(given.schedule, *repeat_));
  }
  return given;
}

CLI::Option* AddReceive(CLI::App& app, ReceivePolicy& policy) {
  return app
      .add_option_function<std::string>(
          "--receive",
          [&policy](const std::string& text) {
            policy = FlagValue("--receive", ParseReceivePolicy(text));
          },
          "where receives are posted, if the schedule has none [early]")
      ->type_name("early|just-in-time|lookahead:K");
}

}  // namespace stagecraft
