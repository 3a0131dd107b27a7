#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "schedules/fingerprint.h"
#include "tools/baseline.h"
#include "tools/command.h"
#include "tools/comparison.h"
#include "tools/comparison_report.h"
#include "tools/cost_arguments.h"
#include "tools/file_access.h"
#include "tools/flags.h"
#include "tools/schedule_arguments.h"
#include "tools/simulated_run.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kDefaultBatches = 32;
enum class Format : std::uint8_t { kMarkdown, kCsv, kJson };

/// A schedule to compare, and how many of the given micro-batches one of its own is.
struct Contestant {
  GivenSchedule given;
  std::int32_t factor = 1;
};

class CompareCommand : public Command {
 public:
  explicit CompareCommand(CLI::App& app) {
    app.add_option("NAME|FILE", names_, "what to compare; the first is what others relate to")
        ->required();
    AddChoice(app, "--unit", {"microbatch", "batch"}, unit_,
              "what is pipelined: the same micro-batches by all, or whole batches where an "
              "approach's paper does so [microbatch]");
    AddChoice(app, "--format", {"md", "csv", "json"}, format_, "of the output [md]");
    app.add_option("--baseline", baseline_,
                   "an earlier --format json: exit 1 unless every simulated figure is the same")
        ->type_name("FILE");
    schedule_.AddTo(app, kDefaultBatches);
    receive_flag_ = AddReceive(app, receive_);
    costs_.AddTo(app);
    app.footer(
        "Examples:\n"
        "  stagecraft compare gpipe pipedream pipedream-2bw spectrain pipeoptim --profile vgg16 "
        "--stages 4 --microbatch-size 16 --bandwidth 100GB/s\n"
        "  stagecraft compare gpipe pipedream pipeoptim --profile gnmt --stages 4 --unit batch\n"
        "  stagecraft compare gpipe 1f1b -p 4 -m 8 --forward 1ms --backward 2ms --format csv\n");
  }

  ExitCode Run() override {
    const CostSource source = costs_.Load();
    const std::optional<nlohmann::ordered_json> baseline = LoadBaseline();
    const std::optional<std::int32_t> ranks = costs_.DefaultRanks(source);
    CheckTaken(schedule_.Options(ranks));
    Comparison comparison;
    Progress progress;
    for (const std::string& name : names_) {
      progress.Begin("simulating " + name);
      Contestant contestant = Load(name, ranks);
      comparison.rows.push_back(RunOne(name, std::move(contestant), source, progress));
    }
    Describe(source, ranks, comparison.settings);
    PrintComparison(comparison);
    if (!baseline) {
      return ExitCode::kFine;
    }
    const std::vector<Diagnostic> changes =
        CompareWithBaseline(*baseline, ComparisonToJson(comparison), baseline_);
    PrintDiagnostics(changes);
    return changes.empty() ? ExitCode::kFine : ExitCode::kRefused;
  }

 private:
  /// An option that none of the approaches takes is a mistake; one that some take is theirs.
  void CheckTaken(const GeneratorOptions& options) const {
    std::vector<Diagnostic> faults;
    for (const std::string& name : names_) {
      const Generator* generator = FindGenerator(name);
      if (generator == nullptr) {
        return;
      }
      faults = CheckOptions(*generator, options);
      if (faults.empty()) {
        return;
      }
      const std::vector<Diagnostic> without =
          CheckOptions(*generator, OnlyTaken(*generator, options));
      if (!without.empty()) {
        throw CommandFailure(ExitCode::kUsage, without);
      }
    }
    throw CommandFailure(ExitCode::kUsage, faults);
  }

  Contestant Load(const std::string& name, std::optional<std::int32_t> ranks) const {
    Contestant contestant;
    const Generator* generator = FindGenerator(name);
    if (generator == nullptr) {
      contestant.given = schedule_.Load(name, ranks, /*shared_flags=*/true);
      return contestant;
    }
    GeneratorOptions options = OnlyTaken(*generator, schedule_.Options(ranks));
    if (unit_ == ComparisonUnit::kBatch) {
      if (generator->whole_batches) {
        contestant.factor = options.microbatches;
        options.microbatches = 1;
      } else if ((generator->takes & kTakesUpdateEvery) != 0 && !options.update_every) {
        options.update_every = options.microbatches;
      }
    }
    Result<Schedule> made = Generate(name, options);
    contestant.given.schedule = ValueOrUsage(std::move(made));
    contestant.given.generator = generator;
    contestant.given.options = options;
    return contestant;
  }

  ComparisonRow RunOne(const std::string& name, Contestant contestant, const CostSource& source,
                       Progress& progress) const {
    Schedule& schedule = contestant.given.schedule;
    costs_.CheckStages(contestant.given);
    Costs costs = source.For(schedule, contestant.factor);
    Topology topology = costs_.TopologyFor(schedule);
    ComparisonRow row;
    row.approach = name;
    row.microbatches = schedule.shape.microbatches;
    row.microbatch_size = costs.microbatch_size;
    row.fingerprint = Fingerprint(schedule);
    row.derived = costs.derived;
    Lowered lowered =
        LowerAndVerify(std::move(schedule), {.receive = receive_,
                                             .receive_given = !receive_flag_->empty(),
                                             .generated = contestant.given.generator != nullptr,
                                             .send = costs_.Send()});
    row.metrics = SimulateAndMeasure(std::move(lowered), std::move(costs), std::move(topology),
                                     Engine::kReplay, progress)
                      .metrics;
    return row;
  }

  void Describe(const CostSource& source, std::optional<std::int32_t> ranks,
                ComparisonSettings& settings) const {
    const GeneratorOptions options = schedule_.Options(ranks);
    settings.unit = unit_;
    settings.ranks = options.ranks;
    settings.microbatches = options.microbatches;
    settings.batches = options.batches;
    settings.microbatch_size = source.MicrobatchSize();
    settings.receive = ToString(receive_);
    Schedule any;
    any.shape.ranks = options.ranks;
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
        Print(ComparisonToCsv(comparison));
        break;
      case Format::kJson:
        Print(ComparisonToJson(comparison).dump(2) + "\n");
        break;
    }
  }

  std::vector<std::string> names_;
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
