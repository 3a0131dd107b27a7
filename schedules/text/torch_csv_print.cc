#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedules/lower.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/torch_csv.h"

namespace stagecraft {
namespace {

Diagnostic Say(Severity severity, std::string message) {
  Diagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.where = "torch csv";
  diagnostic.message = std::move(message);
  return diagnostic;
}

bool IsTheirs(const Op& op) {
  return IsCommunication(op.kind) || (IsCompute(op.kind) && op.kind != OpKind::kRecompute);
}

/// `0F1`: the text of an op without what only we have.
std::string ActionText(const Op& op) {
  const std::string text = ToString(op);
  return text.substr(0, text.find('@'));
}

/// Why the format can't hold it; nothing if it can.
std::string WhyNot(const Schedule& schedule) {
  if (schedule.mode != Mode::kTraining) {
    return "a schedule of forwards only; torch's files are for training";
  }

  const Table<Table<std::int32_t>> ranks = RanksOfStages(schedule);
  for (std::size_t stage = 0; stage < ranks.size(); ++stage) {
    if (ranks[stage].size() > 1) {
      return fmt::format("stage {} is on ranks {}; torch's files have a stage on one rank", stage,
                         fmt::join(ranks[stage], ", "));
    }
  }

  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    if (program.empty()) {
      return fmt::format("rank {} has no ops; in torch's files every row has actions", rank);
    }

    for (std::size_t i = 0; i + 1 < program.size(); ++i) {
      const bool known = program[i].kind == OpKind::kForward &&
                         program[i + 1].kind == OpKind::kBackward && !program[i + 1].joined;
      if (program[i].joined && !known) {
        return fmt::format(
            "rank {} has a cell that begins with {}; torch's files know cells of an F and a B",
            rank, ToString(program[i]));
      }
      i += program[i].joined ? 1U : 0U;
    }
  }
  return "";
}

std::vector<Diagnostic> LeftOut(const Schedule& schedule) {
  bool versions = false;
  bool others = false;
  for (const Program& program : schedule.programs) {
    for (const Op& op : program) {
      versions =
          versions || (TraitsOf(op.kind).reads_weights && (op.version != 0 || op.horizon != 0));
      others = others || op.kind == OpKind::kPredict || op.kind == OpKind::kRecompute;
    }
  }

  std::vector<Diagnostic> warnings;
  if (versions) {
    warnings.push_back(Say(Severity::kWarning,
                           "weight versions and steps are left out: read back, this is one batch "
                           "with a flush behind it"));
  }

  if (others) {
    warnings.push_back(Say(Severity::kWarning,
                           "predictions and recomputations are left out: torch's files have no "
                           "word for them"));
  }
  return warnings;
}

/// Writes the row of one rank.
class Row {
 public:
  Row(const Program& program, TorchFormat format)
      : program_(program), comms_(format == TorchFormat::kComputeComms) {}

  std::string Text() {
    for (std::int32_t i = 0; i < program_.Count(); ++i) {
      const Op& op = program_[i];
      if (op.joined) {
        cells_.push_back(
            fmt::format("({};{})OVERLAP_F_B", ActionText(op), ActionText(program_[i + 1])));
        ++i;
        WaitForForward(program_[i]);
      } else if (IsTheirs(op) && (comms_ || !IsCommunication(op.kind))) {
        cells_.push_back(ActionText(op));
        Note(op);
        WaitForForward(op);
      }
    }

    // No op of this rank depends on what it sent back: the waits for that end the row.
    std::move(last_.begin(), last_.end(), std::back_inserter(cells_));
    return fmt::format("{}\n", fmt::join(cells_, ","));
  }

 private:
  void Note(const Op& op) {
    if (op.kind == OpKind::kSendForward) {
      sent_.emplace(op.stage, op.microbatch);
    } else if (op.kind == OpKind::kSendBackward) {
      last_.push_back(fmt::format("{}WAIT_SEND_B{}", op.stage, op.microbatch));
    }
  }

  /// What a stage sent forward must have left before its backward frees it.
  void WaitForForward(const Op& op) {
    if (TraitsOf(op.kind).gives_input_gradient && sent_.contains({op.stage, op.microbatch})) {
      cells_.push_back(fmt::format("{}WAIT_SEND_F{}", op.stage, op.microbatch));
    }
  }

  const Program& program_;
  bool comms_;
  std::vector<std::string> cells_;
  std::vector<std::string> last_;
  std::set<std::pair<std::int32_t, std::int32_t>> sent_;  ///< Stage and micro-batch.
};

}  // namespace

std::string CellName(const TorchSchedule& read, std::string_view file, OpRef op) {
  const std::int32_t cell = read.cells[op.rank][op.index];
  const std::string text = ToString(read.schedule.At(op));
  if (cell == 0) {
    return fmt::format("{}, rank {} ({})", file, op.rank, text);
  }
  return fmt::format("{}, rank {}, cell {} ({})", file, op.rank, cell,
                     text.substr(0, text.find('@')));
}

Result<std::string> PrintTorchCsv(const Schedule& schedule, TorchFormat format) {
  const std::string why = WhyNot(schedule);
  if (!why.empty()) {
    return {std::nullopt, {Say(Severity::kError, why)}};
  }
  const bool lower = format == TorchFormat::kComputeComms && !HasCommunication(schedule);
  const Schedule written = lower ? Lower(schedule) : schedule;
  std::string text;
  for (const Program& program : written.programs) {
    text += Row(program, format).Text();
  }
  return {std::move(text), LeftOut(schedule)};
}

}  // namespace stagecraft
