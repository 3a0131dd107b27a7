#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "schedules/schedule.h"
#include "schedules/torch_csv.h"
#include "schedules/verify.h"

namespace stagecraft {
namespace {

constexpr std::string_view kRule = "backward-once";

using StageAndMicrobatch = std::pair<std::int32_t, std::int32_t>;

/// The first W that stands beside a B of its micro-batch, in a file without any I: B is the
/// backward for the input there.
std::optional<OpRef> FindOldWeightOp(const Schedule& schedule) {
  std::set<StageAndMicrobatch> full;
  for (const Program& program : schedule.programs) {
    for (const Op& op : program) {
      if (op.kind == OpKind::kBackwardInput) {
        return std::nullopt;
      }
      if (op.kind == OpKind::kBackward) {
        full.emplace(op.stage, op.microbatch);
      }
    }
  }

  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    const auto found = std::find_if(program.begin(), program.end(), [&](const Op& op) {
      return op.kind == OpKind::kBackwardWeight && full.contains({op.stage, op.microbatch});
    });
    if (found != program.end()) {
      return OpRef{rank, static_cast<std::int32_t>(found - program.begin())};
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<Diagnostic> VerifyTorchCsv(const TorchSchedule& read, std::string_view file) {
  std::vector<Diagnostic> faults = Verify(read.schedule);

  // What the sentence says is not said again of every W.
  if (const std::optional<OpRef> old = FindOldWeightOp(read.schedule)) {
    std::erase_if(faults, [](const Diagnostic& fault) { return fault.rule == kRule; });
    const Op& op = read.schedule.At(*old);
    Diagnostic& fault = *faults.emplace(faults.begin());
    fault.message = fmt::format("'{}W{}' beside '{}B{}': {}", op.stage, op.microbatch, op.stage,
                                op.microbatch, kOldTorchNames);
    fault.rule = kRule;
    fault.op = old;
  }

  for (Diagnostic& fault : faults) {
    fault.where = fault.op              ? CellName(read, file, *fault.op)
                  : fault.where.empty() ? std::string(file)
                                        : fmt::format("{}, {}", file, fault.where);
    fault.excerpt.clear();  // Counts ops, not cells.
  }

  // Those that name a cell first.
  std::stable_partition(faults.begin(), faults.end(),
                        [](const Diagnostic& fault) { return fault.op.has_value(); });
  return faults;
}

}  // namespace stagecraft
