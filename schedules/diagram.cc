#include "schedules/diagram.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "schedules/dependencies.h"
#include "schedules/progress.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Columns must hold every label: a block of n columns offers n * width + (n - 1) characters.
std::size_t ColumnWidth(const std::vector<DiagramCell>& cells) {
  std::size_t width = 1;
  for (const DiagramCell& cell : cells) {
    const auto columns = static_cast<std::size_t>(cell.end - cell.begin);
    const std::size_t needed = cell.label.size() + 1;  // One blank behind each block.
    width = std::max(width, (needed + columns - 1) / columns - 1);
  }
  return width;
}

/// `rank 12 | `.
std::string RowHead(std::int32_t rank, std::int32_t ranks) {
  const std::size_t digits = std::to_string(std::max(ranks - 1, 0)).size();
  return fmt::format("rank {:>{}} | ", rank, digits);
}

/// Without what lies behind the first `columns` columns.
std::vector<DiagramCell> CutTo(const std::vector<DiagramCell>& cells, std::int64_t columns) {
  std::vector<DiagramCell> kept;
  for (const DiagramCell& cell : cells) {
    if (cell.begin < columns) {
      kept.push_back(cell);
      kept.back().end = std::min(cell.end, columns);
    }
  }
  return kept;
}

/// Ticks of an op in `RenderSchedule`.
std::int64_t TicksOf(OpKind kind, bool updates) {
  switch (kind) {
    case OpKind::kBackward:
      return 2;
    case OpKind::kForward:
    case OpKind::kBackwardInput:
    case OpKind::kBackwardWeight:
    case OpKind::kRecompute:
      return 1;
    case OpKind::kStep:
    case OpKind::kPredict:
    case OpKind::kAllReduce:
      return updates ? 1 : 0;
    default:
      return 0;
  }
}

std::string LabelOf(const Op& op, bool with_stage, bool with_version) {
  const OpTraits& traits = TraitsOf(op.kind);
  std::string label;
  if (with_stage) {
    label += std::to_string(op.stage);
  }

  label += traits.text;
  if (traits.has_microbatch) {
    label += std::to_string(op.microbatch);
  }
  if (with_version && traits.has_version) {
    label += fmt::format("@{}", op.version);
    if (op.horizon != 0) {
      label += fmt::format("{:+}", op.horizon);
    }
  }
  return label;
}

/// Start and end tick of every op, as soon as possible.
class Ticks {
 public:
  Ticks(const Schedule& schedule, bool updates)
      : schedule_(schedule),
        dependencies_(FindDependencies(schedule)),
        start_(schedule),
        end_(schedule),
        lane_(schedule.programs.Count()),
        meeting_(dependencies_.collectives.Count(), -1) {
    const ExecutionOrder order = OrderOps(schedule, dependencies_, SendMode::kEager);
    for (std::int32_t i = 0; i < order.order.Count();) {
      i += RunCell(order.order[i], updates);
    }
  }

  std::int64_t Start(OpRef ref) const { return start_[ref]; }
  std::int64_t End(OpRef ref) const { return end_[ref]; }

 private:
  /// When the input of the op at `ref` is there. A RECV may have been posted long before its SEND
  /// runs, so who consumes from it looks at the SEND.
  std::int64_t InputEnd(OpRef ref) const {
    OpRef input = dependencies_.input[ref];
    if (input && TraitsOf(schedule_.At(input).kind).is_recv) {
      input = dependencies_.input[input];
    }
    return input ? end_[input] : 0;
  }

  /// When the last member of the all-reduce at `ref` came to it; found when the first one runs,
  /// while all the others still stand at theirs.
  std::int64_t Meeting(OpRef ref) {
    const std::int32_t collective = dependencies_.collective[ref];
    if (collective < 0) {
      return 0;
    }
    std::int64_t& time = meeting_[collective];
    if (time < 0) {
      for (const OpRef member : dependencies_.collectives[collective].members) {
        time = std::max(time, lane_[member.rank]);
      }
    }
    return time;
  }

  /// Runs the cell that starts at `first`; gives the number of its ops.
  std::int32_t RunCell(OpRef first, bool updates) {
    std::int64_t& lane = lane_[first.rank];
    const Program& program = schedule_.programs[first.rank];
    const std::int32_t end_index = CellEnd(program, first.index);
    std::int64_t start = std::max(lane, Meeting(first));
    std::int64_t ticks = 0;

    for (std::int32_t index = first.index; index < end_index; ++index) {
      const Op& op = program[index];
      ticks += TicksOf(op.kind, updates);
      if (TraitsOf(op.kind).is_recv) {
        return 1;  // Posting takes no time and waits for nothing.
      }
      start = std::max(start, InputEnd({first.rank, index}));
    }

    for (std::int32_t index = first.index; index < end_index; ++index) {
      start_[{first.rank, index}] = start;
      end_[{first.rank, index}] = start + ticks;
    }
    lane = start + ticks;
    return end_index - first.index;
  }

  const Schedule& schedule_;
  Dependencies dependencies_;
  OpTable<std::int64_t> start_, end_;
  Table<std::int64_t> lane_;     ///< Per rank: the end of what it has run.
  Table<std::int64_t> meeting_;  ///< Per collective; -1 before it has run.
};

bool SomeRankHoldsSeveral(const Schedule& schedule) {
  return std::any_of(schedule.placement.begin(), schedule.placement.end(),
                     [](const Table<std::int32_t>& stages) { return stages.size() != 1; });
}

/// The block of the cell [begin, end) of one program, its members' labels joined by '&'.
DiagramCell Block(const Schedule& schedule, const Ticks& ticks, OpRef first, std::int32_t end,
                  const DiagramOptions& options) {
  const bool with_stage = SomeRankHoldsSeveral(schedule);
  DiagramCell block{first.rank, ticks.Start(first), ticks.End(first), ""};
  for (std::int32_t index = first.index; index < end; ++index) {
    const Op& op = schedule.At({first.rank, index});
    block.label += block.label.empty() ? "" : "&";
    block.label += LabelOf(op, with_stage, options.versions);
  }
  return block;
}

/// All blocks that take a tick.
std::vector<DiagramCell> BlocksOf(const Schedule& schedule, const DiagramOptions& options) {
  const Ticks ticks(schedule, options.updates);
  std::vector<DiagramCell> cells;
  for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
    const std::vector<Op>& program = schedule.programs[static_cast<std::size_t>(rank)];
    std::int32_t end = 0;
    for (std::int32_t index = 0; index < static_cast<std::int32_t>(program.size()); index = end) {
      end = CellEnd(program, index);
      const OpRef first{rank, index};
      if (ticks.End(first) > ticks.Start(first) &&
          !IsCommunication(program[static_cast<std::size_t>(index)].kind)) {
        cells.push_back(Block(schedule, ticks, first, end, options));
      }
    }
  }
  return cells;
}

}  // namespace

std::string RenderGrid(const std::vector<DiagramCell>& cells, std::int32_t ranks) {
  const std::size_t width = ColumnWidth(cells);
  std::int64_t columns = 0;
  for (const DiagramCell& cell : cells) {
    columns = std::max(columns, cell.end);
  }

  // Empty rows, into which the cells are written.
  std::string idle(1, '.');
  idle.resize(width + 1, ' ');
  Table<std::string> rows(ranks);
  for (std::string& row : rows) {
    for (std::int64_t column = 0; column < columns; ++column) {
      row += idle;
    }
  }

  for (const DiagramCell& cell : cells) {
    const std::size_t begin = static_cast<std::size_t>(cell.begin) * (width + 1);
    const std::size_t length = static_cast<std::size_t>(cell.end - cell.begin) * (width + 1) - 1;
    std::string text = cell.label;
    text.resize(length, cell.end - cell.begin > 1 ? '-' : ' ');
    rows[cell.rank].replace(begin, length, text);
  }

  std::string out;
  for (std::int32_t rank = 0; rank < rows.Count(); ++rank) {
    std::string row = RowHead(rank, ranks) + rows[rank];
    row.erase(row.find_last_not_of(' ') + 1);
    out += row + '\n';
  }
  return out;
}

std::int64_t ColumnsWithin(const std::vector<DiagramCell>& cells, std::int32_t ranks,
                           std::int64_t characters) {
  const auto room = characters + 1 - static_cast<std::int64_t>(RowHead(0, ranks).size());
  constexpr std::int64_t kNarrowest = 2;  // A label of one character and the blank behind it.
  std::int64_t columns = std::max<std::int64_t>(room / kNarrowest, 1);
  const std::vector<DiagramCell> candidates = CutTo(cells, columns);

  // Other columns have other labels, whose width decides how many fit.
  const auto fit = [&] {
    const auto width = static_cast<std::int64_t>(ColumnWidth(CutTo(candidates, columns)));
    return columns * (width + 1) <= room;
  };
  while (columns > 1 && !fit()) {
    --columns;
  }
  return columns;
}

std::string RenderSchedule(const Schedule& schedule, const DiagramOptions& options) {
  std::vector<DiagramCell> cells = BlocksOf(schedule, options);
  std::int64_t end = 0;
  for (const DiagramCell& cell : cells) {
    end = std::max(end, cell.end);
  }

  std::int64_t columns = options.max_columns > 0 ? std::min(options.max_columns, end) : end;
  if (options.max_characters > 0) {
    columns = std::min(columns, ColumnsWithin(cells, schedule.shape.ranks, options.max_characters));
  }
  std::string out = RenderGrid(CutTo(cells, columns), schedule.shape.ranks);
  if (columns < end) {
    out += fmt::format("(cut after {} columns)\n", columns);
  }
  return out;
}

std::string RenderProgram(const Schedule& schedule, OpRef marked, std::int32_t context) {
  const Program& program = schedule.programs[marked.rank];
  const std::int32_t begin = std::max(0, marked.index - context);
  const std::int32_t behind = program.Count() - 1 - marked.index;
  const std::int32_t end = marked.index + 1 + std::min(behind, context);
  std::string line = fmt::format("  rank {} |{}", marked.rank, begin > 0 ? " ..." : "");

  std::size_t caret = 0;
  for (std::int32_t index = begin; index < end; ++index) {
    line += ' ';
    if (index == marked.index) {
      caret = line.size();
    }
    AppendTo(line, program[index]);
  }
  if (end < program.Count()) {
    line += " ...";
  }
  return line + '\n' + std::string(caret, ' ') + '^';
}

}  // namespace stagecraft
