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
#include "tools/arguments/cost_arguments.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/option_flags.h"
#include "tools/arguments/order_search.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/command.h"
#include "tools/file_access.h"
#include "tools/interrupt.h"
#include "tools/reports/baseline.h"
#include "tools/reports/comparison_report.h"
#include "tools/reports/run_report.h"
#include "tools/runs/comparison.h"
#include "tools/runs/row_faults.h"
#include "tools/runs/simulated_run.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

/// Many, so that filling and draining hardly count.
constexpr std::int32_t kDefaultBatches = 32;

enum class Format : std::uint8_t { kMarkdown, kCsv, kJson };

/// A schedule to compare, and how many of the given micro-batches make one of its own.
struct Contestant {
  std::string name;
  GivenSchedule given;
  std::int32_t factor = 1;
};

/// `stagecraft compare`: many schedules on the same costs.
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
    // Approaches have different numbers of stages, which shall be the same model.
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

    // All are loaded before any is simulated, so that it is known at once whether they can be
    // compared.
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

    // A Ctrl-C while loading leaves those that are loaded.
    if (!contestants.empty()) {
      Prepare(contestants, source, ranks, comparison);
      SimulateRows(contestants, progress, comparison);
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
    CostRows(contestants, source, comparison);

    // All rows share the topology, which depends on a schedule's ranks only.
    Schedule any;
    any.shape.ranks = comparison.settings.ranks;
    comparison.settings.topology = costs_.TopologyFor(any);

    comparison.notes = NotesFor(contestants, ranks);
    WarnOfIdleFlags(contestants, source);
  }

  /// Says what every row costs. Throws `CommandFailure` (usage) with the rows that the flags do not
  /// fit, such as one value per rank for other ranks.
  void CostRows(const std::vector<Contestant>& contestants, const CostSource& source,
                Comparison& comparison) const {
    costs_.CheckSizesForMemory();
    RowFaults faults;
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      const Schedule& schedule = contestants[i].given.schedule;
      const CostScale scale{contestants[i].factor, comparison.settings.ranks};
      faults.Try(contestants[i].name, [&] {
        costs_.CheckRanks(schedule);
        comparison.rows[i].costs = source.For(schedule, scale);
      });
    }
    faults.ThrowIfAny();
  }

  /// After a Ctrl-C that ended the loading, those that are there are simulated, which takes little;
  /// after one that comes now, the rest is dropped.
  void SimulateRows(std::vector<Contestant>& contestants, Progress& progress,
                    Comparison& comparison) const {
    const bool had_stopped = StopOnSignal::Requested();
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      if (!had_stopped && StopOnSignal::Requested()) {
        comparison.rows.resize(i);
        return;
      }
      progress.Begin("simulating " + contestants[i].name);
      SimulateRow(std::move(contestants[i]), progress, comparison.rows[i]);
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
      const CostedMachine machine{source, costs_, {suited.factor, suited.options.ranks}};
      // Some options are only in range for what the stages cost.
      NameFaults(generator.name, [&] { AddEstimates(generator, suited.options, machine); });

      std::vector<Diagnostic> faults = WithFlags(CheckOptions(generator, suited.options));
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

  /// `options` as this generator takes them, and how many of the micro-batches one of its own is.
  struct Suited {
    GeneratorOptions options;
    std::int32_t factor = 1;
  };
  Suited OptionsFor(const Generator& generator, const GeneratorOptions& options) const {
    Suited suited{OnlyTaken(generator, options)};
    if (unit_ == ComparisonUnit::kBatch) {
      // The paper's own unit: a batch is not split.
      if (generator.whole_batches) {
        suited.factor = options.microbatches;
        suited.options.microbatches = 1;
      } else if ((generator.takes & kTakesUpdateEvery) != 0 && !options.update_every) {
        suited.options.update_every = options.microbatches;
      }
    }
    return suited;
  }

  /// Reads or generates one of the schedules, for the costs that it will have.
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
      // Several are generated: a fault has to say for which.
      NameFaults(name, [&] {
        contestant.given.schedule = ValueOrUsage(GenerateFor(name, suited.options, &machine));
      });
      contestant.given.generator = generator;
      contestant.given.options = std::move(suited.options);
    }

    costs_.CheckStages(contestant.given);
    return contestant;
  }

  /// All of the row but its costs and what is simulated.
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

  /// Simulates `contestant` with the costs that `row` has, and adds what was measured.
  void SimulateRow(Contestant contestant, Progress& progress, ComparisonRow& row) const {
    Schedule& schedule = contestant.given.schedule;
    const std::int32_t ranks = schedule.shape.ranks;
    // Of the row's own ranks, which may be others than those of the comparison.
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

    // An option that only some of the rows take makes them differ in more than their approach.
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
            fmt::format("{} does not apply to {}", FlagOf(option.name), fmt::join(without, ", ")));
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

  /// Fills in what is the same for all rows.
  void Describe(const CostSource& source, std::optional<std::int32_t> ranks,
                Comparison& comparison) const {
    const GeneratorOptions options = schedule_.Options(ranks);
    ComparisonSettings& settings = comparison.settings;
    settings.unit = unit_;
    settings.ranks = schedule_.HasRanks() ? options.ranks : RanksOf(comparison.rows, options.ranks);

    const bool any_generated = !std::all_of(comparison.rows.begin(), comparison.rows.end(),
                                            [](const auto& row) { return row.is_file; });
    // Files have no batches.
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

    if (source.GetProfile()) {
      settings.profile = source.GetProfile()->source;
    }
  }

  /// Read before anything is simulated, so that a wrong file costs no time.
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
