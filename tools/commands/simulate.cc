#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/dry_run.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/simulate_arguments.h"
#include "tools/command.h"
#include "tools/file_access.h"
#include "tools/reports/run_report.h"
#include "tools/terminal.h"
#include "traces/chrome_trace.h"
#include "traces/text_timeline.h"

namespace stagecraft {
namespace {

/// `stagecraft simulate`: predicts when each op of a schedule runs.
class SimulateCommand : public Command {
 public:
  explicit SimulateCommand(CLI::App& app) {
    arguments_.AddTo(app,
                     "schedule to simulate: a name (see `stagecraft schedules`), a *.sched file, "
                     "or torch's *.csv");
    AddChoice(
        app, "--engine", {"replay", "events"}, engine_,
        "how it is computed, with the same answer: a compiled sweep, or discrete events [replay]");

    // Flags that would print two things at once exclude each other.
    CLI::Option* json = app.add_flag("--json", json_, "print JSON (simulate.schema.json)");
    app.add_flag("--ops", ops_, "in the JSON also when each op and each transfer begins and ends")
        ->needs(json);
    CLI::Option* trace = app.add_option("--trace", trace_,
                                        "write a Chrome trace for Perfetto; gzip if it ends in .gz")
                             ->type_name("FILE");

    app.add_flag("--dry-run", dry_run_,
                 "only count the steps of torch's dry run: in each step every rank that can runs "
                 "the next action of its list (F, B, I, W, R, SEND, RECV or one member of a cell; "
                 "optimizer steps don't count)")
        ->excludes(json)
        ->excludes(trace);

    app.add_flag("--diagram", diagram_,
                 "also draw the timeline as text, as much as fits on the terminal")
        ->excludes(json)
        ->excludes("--dry-run");

    app.footer(R"(Examples:
  stagecraft simulate 1f1b -p 4 -m 8 --forward 1ms --backward 2ms --latency 0.1ms
  stagecraft simulate gpipe -p 4 -m 8 --forward 1ms --backward 2ms --diagram
  stagecraft simulate pipedream --profile vgg16 --stages 4 -m 32 --microbatch-size 16 \
      --bandwidth 100GB/s --json
)");
  }

  ExitCode Run() override {
    if (trace_ == "-") {
      throw CommandFailure(ExitCode::kUsage, "--trace",
                           "expected the name of a file, since standard output has the report");
    }

    Progress progress;
    if (dry_run_) {
      // Times play no part in a dry run, so that there is nothing else to report.
      const std::optional<std::int64_t> steps = DryRunSteps(arguments_.LoadLowered(progress));
      Print(steps ? fmt::format("{} steps\n", *steps) : "stuck\n");
      return steps ? ExitCode::kFine : ExitCode::kRefused;
    }

    const SimulatedRun run = arguments_.Run(engine_, progress);
    if (!trace_.empty()) {
      progress.Begin("writing the trace");
      WriteTrace(run);
    }

    if (json_) {
      PrintJson(RunToJson(run, ops_));
    } else {
      Print(RunToText(run));
    }

    if (diagram_) {
      const auto characters = static_cast<std::int64_t>(OutputColumns().value_or(0));
      Print("\n" + RenderTimeline(run.lowered, run.timeline, {.max_characters = characters}));
    }
    return ExitCode::kFine;
  }

 private:
  /// Compressed if the name of the file says so.
  void WriteTrace(const SimulatedRun& run) const {
    std::string text = ChromeTrace(run.lowered, run.timeline, SizesOf(run.costs));
    WriteFile(trace_, trace_.ends_with(".gz") ? Gzip(text) : text);
  }

  SimulateArguments arguments_;
  Engine engine_ = Engine::kReplay;
  bool json_ = false;
  bool ops_ = false;
  bool diagram_ = false;
  bool dry_run_ = false;
  std::string trace_;
};

}  // namespace

std::unique_ptr<Command> MakeSimulateCommand(CLI::App& app) {
  return std::make_unique<SimulateCommand>(app);
}

}  // namespace stagecraft
