#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "schedules/fingerprint.h"
#include "schedules/option_check.h"
#include "tools/baseline.h"
#include "tools/command.h"
#include "tools/comparison.h"
#include "tools/comparison_report.h"
#include "tools/cost_arguments.h"
#include "tools/file_access.h"
#include "tools/flags.h"
#include "tools/interrupt.h"
#include "tools/order_search.h"
#include "tools/run_report.h"
#include "tools/schedule_arguments.h"
#include "tools/simulated_run.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kDefaultBatches = 32;

enum class Format : std::uint8_t { kMarkdown, kCsv, kJson };

/// A schedule to compare, and how many of the given micro-batches one of its own is.
struct Contestant {
  std::string name;
  GivenSchedule given;
  std::int32_t factor = 1;
};

class CompareCommand : public Command {
 public:
  explicit CompareCommand(CLI::App& app) {
    CLI::Option* names = app.add_option(
        "NAME|FILE", names_, "schedules to compare; `relative` is relative to the first");
    app.add_flag("--all", all_, "everything that can be generated for -p and -m")->excludes(names);
    AddChoice(
        app, "--unit", {"microbatch", "batch"}, unit_,
        "microbatch: all approaches split batches alike (pipedream-2bw updates after every P "
        "micro-batches); batch: approaches that their papers pipeline by whole batches do so, "
        "the others, pipedream-2bw too, split each batch into -m micro-batches and update "
        "once per batch [microbatch]");
    app.add_flag("--unequal", unequal_,
                 "also compare rows that do not do the same work, with columns that show it");
    AddChoice(app, "--format", {"md", "csv", "json"}, format_, "format of the output [md]");
    app.add_option("--baseline", baseline_,
                   "an earlier --format json: exit 1 unless every simulated figure is the same")
        ->type_name("FILE");
    schedule_.AddTo(app, kDefaultBatches);
    receive_flag_ = AddReceive(app, receive_);
    costs_.SetDefaultPer(CostsPer::kRank);
    costs_.AddTo(app);
    app.footer(R"(Without costs every rank's share of the model takes 1 ms forward and 2 ms
backward, and has 100 MB of weights and 100 MB of activations per micro-batch.

Examples:
  stagecraft compare gpipe pipedream pipedream-2bw spectrain pipeoptim --profile vgg16 \
      --stages 4 --microbatch-size 16 --bandwidth 100GB/s
  stagecraft compare gpipe pipedream pipeoptim --profile gnmt --stages 4 --unit batch
  stagecraft compare gpipe 1f1b -p 4 -m 8 --forward 1ms --backward 2ms --format csv
  stagecraft compare --all -p 4 -m 8
)");
  }

  ExitCode Run() override {
    const CostSource source = LoadCosts();
    const std::optional<nlohmann::ordered_json> baseline = LoadBaseline();
    const std::optional<std::int32_t> ranks = costs_.DefaultRanks(source);
    const std::vector<std::string> names = NamesFor(schedule_.Options(ranks), source);
    if (!all_) {
      CheckTaken(names, schedule_.Options(ranks));
    }

    if (schedule_.HasRepeat() &&
        std::all_of(names.begin(), names.end(),
                    [](const std::string& name) { return FindGenerator(name) != nullptr; })) {
      throw CommandFailure(ExitCode::kUsage, "--repeat",
                           "is for files, but none is given; expected -n for more batches");
    }

    // All are there before any is simulated: whether they can be compared is known at once.
    Comparison comparison;
    std::vector<Contestant> contestants;
    Progress progress;
    const StopOnSignal stop_on_signal;
    for (const std::string& name : names) {
      if (StopOnSignal::Requested()) {
        break;  // One Ctrl-C ends the search it meets and everything behind it.
      }
      progress.Begin("loading " + name);
      contestants.push_back(Load(name, ranks, source));
      comparison.rows.push_back(RowOf(contestants.back(), source));
    }
    if (!contestants.empty()) {
      Prepare(contestants, source, ranks, comparison);
      SimulateRows(contestants, source, progress, comparison);
    }

    if (!comparison.rows.empty()) {
      PrintComparison(comparison);
      FlushOutput();
    }
    FailIfStopped(names, comparison.rows.size());
    if (!baseline) {
      return ExitCode::kFine;
    }
    const std::vector<Diagnostic> changes =
        CompareWithBaseline(*baseline, ComparisonToJson(comparison), baseline_);
    PrintDiagnostics(changes);
    return HasErrors(changes) ? ExitCode::kRefused : ExitCode::kFine;
  }

 private:
  /// After Ctrl-C, with the rows that there are printed: which of `names` are missing.
  static void FailIfStopped(const std::vector<std::string>& names, std::size_t rows) {
    if (StopOnSignal::Requested()) {
      const std::vector<std::string> missing(names.begin() + static_cast<std::ptrdiff_t>(rows),
                                             names.end());
      throw CommandFailure(
          ExitCode::kFailed, "",
          missing.empty()
              ? "stopped; the last row is of a search that was cut short"
              : fmt::format("stopped before the end; not run: {}", fmt::join(missing, ", ")));
    }
  }

  /// Says what the rows have in common. Throws `CommandFailure` (usage) if that is too little.
  void Prepare(const std::vector<Contestant>& contestants, const CostSource& source,
               std::optional<std::int32_t> ranks, Comparison& comparison) const {
    Describe(source, ranks, comparison);
    if (std::vector<Diagnostic> faults = UnequalWork(comparison); !faults.empty() && !unequal_) {
      throw CommandFailure(ExitCode::kUsage, std::move(faults));
    }
    comparison.notes = NotesFor(contestants, ranks);
    WarnOfIdleFlags(contestants, source);
  }

  /// After a Ctrl-C that ended the loading, those that are there are simulated, which takes little;
  /// after one that comes now, the rest is dropped.
  void SimulateRows(std::vector<Contestant>& contestants, const CostSource& source,
                    Progress& progress, Comparison& comparison) const {
    const bool had_stopped = StopOnSignal::Requested();
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      if (!had_stopped && StopOnSignal::Requested()) {
        comparison.rows.resize(i);
        return;
      }
      progress.Begin("simulating " + contestants[i].name);
      SimulateRow(std::move(contestants[i]), source, progress, comparison.rows[i],
                  comparison.settings.ranks);
    }
  }

  /// What was given, and assumptions if that has no duration.
  CostSource LoadCosts() const {
    CostSource source = costs_.Load();
    return source.HasDurations() ? source : costs_.LoadWithDefaults(AssumedCosts());
  }

  /// The names that were given, or all that accept these options; says which don't, and why.
  std::vector<std::string> NamesFor(const GeneratorOptions& options,
                                    const CostSource& source) const {
    if (!all_) {
      if (names_.empty()) {
        throw CommandFailure(ExitCode::kUsage, "NAME|FILE",
                             "expected what to compare, or --all; see `stagecraft schedules`");
      }
      return names_;
    }
    std::vector<std::string> names;
    for (const Generator& generator : Generators()) {
      Suited suited = OptionsFor(generator, options);
      AddEstimates(generator, suited.options,
                   {source, costs_, {suited.factor, suited.options.ranks}});
      std::vector<Diagnostic> faults = CheckOptions(generator, suited.options);
      if (faults.empty()) {
        names.emplace_back(generator.name);
        continue;
      }
      for (Diagnostic& fault : faults) {
        fault.severity = Severity::kWarning;
        fault.message += "; left out";
      }
      PrintDiagnostics(faults);
    }
    if (names.empty()) {
      throw CommandFailure(ExitCode::kUsage, "--all", "nothing can be generated for these options");
    }
    return names;
  }

  /// An option that none of the approaches takes is a mistake; one that some take is theirs.
  static void CheckTaken(const std::vector<std::string>& names, const GeneratorOptions& options) {
    std::vector<Diagnostic> faults;
    for (const OptionTraits& option : AllOptionTraits()) {
      const bool taken = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        const Generator* generator = FindGenerator(name);
        return generator == nullptr || (generator->takes & option.takes) != 0;
      });
      if (option.is_given(options) && !taken) {
        Diagnostic& fault = faults.emplace_back();
        fault.where = names.back();
        fault.message =
            "does not take " + std::string(option.flag) + "; see `stagecraft schedules`";
      }
    }
    if (!faults.empty()) {
      throw CommandFailure(ExitCode::kUsage, std::move(faults));
    }
  }

  /// `options` as this generator takes them, and how many of the micro-batches one of its own is.
  struct Suited {
    GeneratorOptions options;
    std::int32_t factor = 1;
  };
  Suited OptionsFor(const Generator& generator, const GeneratorOptions& options) const {
    Suited suited{OnlyTaken(generator, options)};
    if (unit_ == ComparisonUnit::kBatch) {
      if (generator.whole_batches) {
        suited.factor = options.microbatches;
        suited.options.microbatches = 1;
      } else if ((generator.takes & kTakesUpdateEvery) != 0 && !options.update_every) {
        suited.options.update_every = options.microbatches;
      }
    }
    return suited;
  }

  Contestant Load(const std::string& name, std::optional<std::int32_t> ranks,
                  const CostSource& source) const {
    Contestant contestant;
    contestant.name = name;
    const Generator* generator = FindGenerator(name);
    if (generator == nullptr) {
      contestant.given = schedule_.LoadFileAmongOthers(name);
    } else {
      Suited suited = OptionsFor(*generator, schedule_.Options(ranks));
      contestant.factor = suited.factor;
      const CostedMachine machine{source, costs_, {suited.factor, suited.options.ranks}};
      contestant.given.schedule = ValueOrUsage(GenerateFor(name, suited.options, &machine));
      contestant.given.generator = generator;
      contestant.given.options = std::move(suited.options);
    }
    costs_.CheckStages(contestant.given);
    return contestant;
  }

  /// All of the row but what is simulated.
  static ComparisonRow RowOf(const Contestant& contestant, const CostSource& source) {
    ComparisonRow row;
    row.approach = contestant.name;
    row.is_file = contestant.given.generator == nullptr;
    row.mode = contestant.given.schedule.mode;
    row.shape = contestant.given.schedule.shape;
    row.microbatch_size = source.MicrobatchSize() * contestant.factor;
    row.fingerprint = FingerprintsOf(contestant.given.schedule).schedule;
    return row;
  }

  /// `parts`: p of the p-th parts of the model that flags speak of.
  void SimulateRow(Contestant contestant, const CostSource& source, Progress& progress,
                   ComparisonRow& row, std::int32_t parts) const {
    Schedule& schedule = contestant.given.schedule;
    const std::int32_t ranks = schedule.shape.ranks;
    row.costs = source.For(schedule, {contestant.factor, parts});
    Topology topology = costs_.TopologyFor(schedule);
    Lowered lowered = LowerAndVerify(std::move(schedule), {.receive = receive_,
                                                           .receive_given = !receive_flag_->empty(),
                                                           .generated = !row.is_file,
                                                           .send = costs_.Send()});
    row.metrics = SimulateAndMeasure(std::move(lowered), row.costs, std::move(topology),
                                     Engine::kReplay, progress)
                      .metrics;
    if (costs_.HasMemory()) {
      row.fits = Fits(row.metrics, costs_.MemoryOfRanks(ranks));
    }
  }

  /// What was assumed, and which options some of the approaches don't take.
  std::vector<std::string> NotesFor(const std::vector<Contestant>& contestants,
                                    std::optional<std::int32_t> ranks) const {
    std::vector<std::string> notes;
    if (!costs_.AnyDurations()) {
      notes.emplace_back(kAssumedCosts);
    }
    const GeneratorOptions options = schedule_.Options(ranks);
    for (const OptionTraits& option : AllOptionTraits()) {
      std::vector<std::string> without;
      for (const Contestant& contestant : contestants) {
        const Generator* generator = contestant.given.generator;
        if (generator == nullptr || (generator->takes & option.takes) == 0) {
          without.push_back(contestant.name);
        }
      }
      if (option.is_given(options) && !without.empty()) {
        notes.push_back(
            fmt::format("{} does not apply to {}", option.flag, fmt::join(without, ", ")));
      }
    }
    return notes;
  }

  /// One warning per flag that has no effect, with the approaches that it has none on.
  void WarnOfIdleFlags(const std::vector<Contestant>& contestants, const CostSource& source) const {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> without;
    for (const Contestant& contestant : contestants) {
      for (const IdleFlag& idle : costs_.IdleFlags(source, contestant.given.schedule)) {
        without[{idle.flag, idle.reason}].push_back(contestant.name);
      }
    }
    for (const auto& [flag, names] : without) {
      PrintDiagnostics(
          WarningsOf({{flag.first, flag.second}}, fmt::format("{}", fmt::join(names, ", "))));
    }
  }

  void Describe(const CostSource& source, std::optional<std::int32_t> ranks,
                Comparison& comparison) const {
    const GeneratorOptions options = schedule_.Options(ranks);
    ComparisonSettings& settings = comparison.settings;
    settings.unit = unit_;
    settings.ranks = schedule_.HasRanks() ? options.ranks : RanksOf(comparison.rows, options.ranks);
    const bool any_generated = !std::all_of(comparison.rows.begin(), comparison.rows.end(),
                                            [](const auto& row) { return row.is_file; });
    if (any_generated) {
      settings.microbatches = options.microbatches;
      settings.batches = options.batches;
    }
    settings.microbatch_size = source.MicrobatchSize();
    settings.costs =
        costs_.AnyDurations() || costs_.AnySizes()
            ? source.Basis(settings.ranks)
            : fmt::format("costs assumed per rank (1/{} of the model)", settings.ranks);
    settings.costs_per_stage = costs_.ArePerStage();
    settings.receive = ToString(receive_);
    Schedule any;
    any.shape.ranks = settings.ranks;
    settings.topology = costs_.TopologyFor(any);
    if (source.GetProfile()) {
      settings.profile = source.GetProfile()->source;
    }
  }

  std::optional<nlohmann::ordered_json> LoadBaseline() const {
    if (baseline_.empty()) {
      return std::nullopt;
    }
    return ValueOrUsage(ParseBaseline(ReadFile(baseline_), baseline_));
  }

  void PrintComparison(const Comparison& comparison) const {
    switch (format_) {
      case Format::kMarkdown:
        Print(ComparisonToMarkdown(comparison));
        break;
      case Format::kCsv:
        PrintData(ComparisonToCsv(comparison));
        break;
      case Format::kJson:
        PrintJson(ComparisonToJson(comparison));
        break;
    }
  }

  std::vector<std::string> names_;
  bool all_ = false;
  bool unequal_ = false;
  ComparisonUnit unit_ = ComparisonUnit::kMicrobatch;
  Format format_ = Format::kMarkdown;
  std::string baseline_;
  ScheduleArguments schedule_;
  ReceivePolicy receive_;
  CLI::Option* receive_flag_ = nullptr;
  CostArguments costs_;
};

}  // namespace

std::unique_ptr<Command> MakeCompareCommand(CLI::App& app) {
  return std::make_unique<CompareCommand>(app);
}

}  // namespace stagecraft
