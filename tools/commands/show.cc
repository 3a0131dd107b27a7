#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/activations.h"
#include "schedules/diagram.h"
#include "schedules/lower.h"
#include "schedules/phases.h"
#include "schedules/staleness.h"
#include "schedules/tables.h"
#include "schedules/weight_slots.h"
#include "tools/arguments/cost_arguments.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/quantity.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/command.h"
#include "tools/reports/cut_report.h"
#include "tools/reports/run_report.h"
#include "tools/reports/table.h"
#include "tools/runs/simulated_run.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
/// Ticks drawn at most, where --columns does not say it.
constexpr std::int32_t kDefaultColumns = 160;
constexpr std::size_t kReadsShown = 16;  // Versions listed for each stage and direction.
constexpr const char* kStageLegend =
    "Staleness: updates that a gradient missed, once the pipeline is full; nominal: counted from\n"
    "the weights that a prediction aimed at. Activation sets: micro-batches that wait for their\n"
    "backward.\n";

/// `F@0 F@0 F@1 ...`: what the first ops of one kind of a stage read, in program order.
std::string Reads(const Schedule& schedule, std::int32_t rank, std::int32_t stage, bool forward) {
  std::string text;
  std::size_t shown = 0;
  for (const Op& op : schedule.programs[rank]) {
    const bool wanted =
        forward ? op.kind == OpKind::kForward : TraitsOf(op.kind).gives_input_gradient;
    if (op.stage != stage || !wanted) {
      continue;
    }

    // The pattern repeats soon, and a line should stay a line.
    if (++shown > kReadsShown) {
      return text + " ...";
    }
    text += fmt::format("{}@{}", text.empty() ? "" : " ", op.version);
    text += op.horizon == 0 ? "" : fmt::format("{:+}", op.horizon);
  }

  return text;
}

/// Which versions the ops of each stage read, on each rank that has it.
std::string VersionsToText(const Schedule& schedule) {
  TextTable table;
  table.columns = {
      {"stage"}, {"rank"}, {"forwards read", Align::kLeft}, {"backwards read", Align::kLeft}};
  const Table<Table<std::int32_t>> ranks = RanksOfStages(schedule);
  for (std::int32_t stage = 0; stage < ranks.Count(); ++stage) {
    for (const std::int32_t rank : ranks[stage]) {
      table.rows.push_back({std::to_string(stage), std::to_string(rank),
                            Reads(schedule, rank, stage, true),
                            Reads(schedule, rank, stage, false)});
    }
  }
  return ToPlainText(table);
}

/// `0 x4, 1 x12`: how many updates were missed, and by how many micro-batches.
std::string Histogram(const StageStaleness& staleness) {
  std::string text;
  for (const auto& [missed, count] : staleness.histogram) {
    text += fmt::format("{}{} x{}", text.empty() ? "" : ", ", missed, count);
  }
  return text.empty() ? "-" : text;
}

/// What each stage needs to hold, and how stale its gradients are.
std::string StagesToText(const Schedule& schedule) {
  const Table<StageStaleness> staleness = FindStaleness(schedule);
  const Table<std::int32_t> sets = PeakActivationSets(schedule);
  const Table<std::int32_t> copies = WeightCopiesOfStages(CountWeightSlots(schedule));

  // The largest staleness says something only where it is not the steady one.
  const bool has_peaks = std::any_of(
      staleness.begin(), staleness.end(),
      [](const StageStaleness& stage) { return !stage.steady || *stage.steady != stage.max; });
  TextTable table;
  table.columns = {{"stage"}, {"weight copies"}, {"activation sets"}, {"staleness"}};
  if (has_peaks) {
    table.columns.push_back({"max staleness"});
  }
  table.columns.push_back({"nominal"});
  table.columns.push_back({"updates missed x micro-batches", Align::kLeft});

  for (std::size_t stage = 0; stage < staleness.size(); ++stage) {
    std::vector<std::string>& row = table.rows.emplace_back();
    row = {std::to_string(stage), std::to_string(copies[stage]), std::to_string(sets[stage]),
           OrDash(staleness[stage].steady)};
    if (has_peaks) {
      row.push_back(std::to_string(staleness[stage].max));
    }
    row.push_back(OrDash(staleness[stage].nominal_steady));
    row.push_back(Histogram(staleness[stage]));
  }
  return ToPlainText(table) + kStageLegend;
}

/// `8 F, 8 B, 1 S`.
std::string Counts(const RankPhases& phases) {
  std::string text;
  for (const OpTraits& traits : AllOpTraits()) {
    const std::int64_t count = phases.counts[traits.kind];
    if (count > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, traits.text);
    }
  }
  return text;
}

/// Phases and memory per rank. Memory is that of the schedule with communication.
std::string RanksToText(const Schedule& schedule, const std::vector<RankMemory>& memory) {
  const std::vector<RankPhases> phases = FindPhases(schedule);
  TextTable table;
  table.columns = {{"rank"}, {"stages", Align::kLeft}, {"warm-up"}, {"steady"}, {"cool-down"}};
  // Without sizes there is no memory to speak of.
  if (!memory.empty()) {
    table.columns.insert(table.columns.end(), {{"weights, optimizer"}, {"peak memory"}});
  }
  table.columns.push_back({"ops", Align::kLeft});

  for (std::size_t rank = 0; rank < phases.size(); ++rank) {
    const RankPhases& phase = phases[rank];
    const std::int64_t ops = static_cast<std::int64_t>(schedule.programs[rank].size());
    std::vector<std::string> row = {
        std::to_string(rank), fmt::format("{}", fmt::join(schedule.placement[rank], ",")),
        std::to_string(phase.steady - phase.warm_up),
        std::to_string(phase.cool_down - phase.steady), std::to_string(ops - phase.cool_down)};
    if (!memory.empty()) {
      row.push_back(FormatBytes(memory[rank].static_bytes));
      row.push_back(FormatBytes(memory[rank].peak_bytes));
    }

    row.push_back(Counts(phase));
    table.rows.push_back(std::move(row));
  }

  return ToPlainText(table);
}

/// `stagecraft show`: draws a schedule, and says what it needs.
class ShowCommand : public Command {
 public:
  explicit ShowCommand(CLI::App& app) {
    app.add_option("NAME|FILE", name_,
                   "schedule to show: a name (see `stagecraft schedules`), a *.sched file, or "
                   "torch's *.csv")
        ->required();

    app.add_flag("--versions", diagram_.versions, "write F3@2+1 instead of F3 in the diagram");
    app.add_flag("--updates", diagram_.updates, "draw optimizer steps and predictions as well");
    AddInteger(
        app, "--columns", {0, kMost, "N"}, columns_,
        fmt::format("draw the first N ticks, each of which is several characters wide; 0 draws "
                    "all [what fits on the terminal, at most {}]",
                    kDefaultColumns));

    schedule_.AddTo(app);
    costs_.AddTo(app, CostArguments::Which::kSizes);
    app.footer(R"(Examples:
  stagecraft show 1f1b -p 4 -m 8
  stagecraft show pipedream -p 3 -m 6 --versions --updates
  stagecraft show pipeoptim -p 4 -m 16 --activation 64MB --parameters 1GiB
)");
  }

  ExitCode Run() override {
    const CostSource source = costs_.Load();
    const GivenSchedule given = schedule_.Load(name_, costs_.DefaultRanks(source));
    costs_.CheckStages(given);
    PrintDiagnostics(WarningsOf(costs_.IdlePer(), name_));

    const Schedule& schedule = given.schedule;
    const Schedule lowered =
        LowerAndVerify(schedule, {.receive = {}, .generated = given.generator != nullptr}).schedule;

    std::vector<RankMemory> memory;
    const Costs costs = source.For(schedule);
    if (costs_.AnySizes()) {
      memory = PeakMemory(lowered, SizesOf(costs));
    }

    PrintHead(schedule);
    diagram_.max_columns = columns_.value_or(kDefaultColumns);
    // A line that the terminal wraps would be no picture.
    if (!columns_) {
      diagram_.max_characters = static_cast<std::int64_t>(OutputColumns().value_or(0));
    }
    stagecraft::Print(RenderSchedule(EraseCommunication(schedule), diagram_) + "\n");
    stagecraft::Print(StagesToText(schedule) + "\n" + VersionsToText(schedule) + "\n" +
                      RanksToText(schedule, memory));

    if (const std::string cut = CutToText(costs); !cut.empty()) {
      stagecraft::Print("\n" + cut);
    }
    stagecraft::Print(memory.empty()
                          ? "\nnote: for memory in bytes give --profile, or --activation, "
                            "--boundary and --parameters\n"
                          : NotesToText(costs.derived));
    return ExitCode::kFine;
  }

 private:
  /// The lines above the diagram.
  static void PrintHead(const Schedule& schedule) {
    stagecraft::Print(fmt::format("{}: {} ranks, {} stages, {} micro-batches, fingerprint {}\n{}\n",
                                  ShownName(schedule), schedule.shape.ranks, schedule.shape.stages,
                                  schedule.shape.microbatches, FingerprintsToText(schedule),
                                  "Ticks: F, I, W and R take one, B two; '.' is idle."));
  }

  std::string name_;
  DiagramOptions diagram_;
  std::optional<std::int32_t> columns_;
  ScheduleArguments schedule_;
  CostArguments costs_;
};

}  // namespace

std::unique_ptr<Command> MakeShowCommand(CLI::App& app) {
  return std::make_unique<ShowCommand>(app);
}

}  // namespace stagecraft
