#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "tools/arguments/simulate_arguments.h"
#include "tools/command.h"
#include "tools/runs/explanation.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

/// `stagecraft explain`: why a schedule takes as long, and what would make it shorter.
class ExplainCommand : public Command {
 public:
  explicit ExplainCommand(CLI::App& app) {
    arguments_.AddTo(app,
                     "schedule to explain: a name (see `stagecraft schedules`), a *.sched file, or "
                     "torch's *.csv");
    app.footer(R"(Examples:
  stagecraft explain 1f1b -p 4 -m 8 --forward 1ms --backward 2ms --latency 0.1ms
  stagecraft explain gpipe --profile vgg16 --stages 4 --microbatch-size 16 --bandwidth 100GB/s
)");
  }

  ExitCode Run() override {
    Progress progress;
    const SimulatedRun run = arguments_.Run(Engine::kReplay, progress);
    Print(ExplanationToText(run, Explain(run, progress)));
    return ExitCode::kFine;
  }

 private:
  SimulateArguments arguments_;
};

}  // namespace

std::unique_ptr<Command> MakeExplainCommand(CLI::App& app) {
  return std::make_unique<ExplainCommand>(app);
}

}  // namespace stagecraft
