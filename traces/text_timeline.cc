#include "traces/text_timeline.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "schedules/dependencies.h"
#include "schedules/diagram.h"

namespace stagecraft {
namespace {

/// Most columns, unless the caller gives the tick.
constexpr std::int64_t kMostChosenColumns = 400;
/// About the fewest columns, where edges are rounded.
constexpr std::int64_t kFewestColumns = 120;
constexpr std::int64_t kMostColumns = 20000;  ///< Most columns that are drawn, whatever the tick.

/// A block of the picture before it is put into columns.
struct Block {
  std::int32_t rank = 0;
  Span span;
  std::string label;
  bool compute = false;  ///< Holds an op that processes a micro-batch.
};

bool SomeRankHoldsSeveral(const Schedule& schedule) {
  return std::any_of(schedule.placement.begin(), schedule.placement.end(),
                     [](const std::vector<std::int32_t>& stages) { return stages.size() > 1; });
}

std::string LabelOf(const Op& op, bool with_stage, bool with_version) {
  const OpTraits& traits = TraitsOf(op.kind);
  std::string label = with_stage ? std::to_string(op.stage) : "";
  label += traits.text;
  if (traits.has_microbatch) {
    label += std::to_string(op.microbatch);
  }
  if (with_version && traits.has_version) {
    label += fmt::format("@{}", op.version);
    label += op.horizon != 0 ? fmt::format("{:+}", op.horizon) : "";
  }
  return label;
}

/// The cells that take time, without communication: rank by rank, in program order.
std::vector<Block> BlocksOf(const Schedule& schedule, const Timeline& timeline, bool with_version) {
  const bool with_stage = SomeRankHoldsSeveral(schedule);
  std::vector<Block> blocks;
  std::size_t id = 0;

  for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
    // A cell is one block, labelled with all its members.
    bool in_cell = false;
    for (const Op& op : schedule.programs[rank]) {
      const Span span = timeline.spans[id++];
      if (span.end > span.start && !IsCommunication(op.kind)) {
        std::string label = LabelOf(op, with_stage, with_version);
        if (in_cell) {
          blocks.back().label += '&' + label;
        } else {
          blocks.push_back({rank, span, std::move(label), IsCompute(op.kind)});
        }
      }
      in_cell = op.joined;
    }
  }

  return blocks;
}

/// How time becomes columns.
struct Scale {
  std::int64_t tick = 1;  ///< Nanoseconds per column.
  bool exact = true;      ///< Every start and end falls on the edge of a column.
};

/// Nanoseconds, at least 1: every start and end is a multiple.
std::int64_t CommonDivisor(const std::vector<Block>& blocks) {
  std::int64_t divisor = 0;
  for (const Block& block : blocks) {
    divisor = std::gcd(divisor, block.span.start.count());
    divisor = std::gcd(divisor, block.span.end.count());
  }
  return std::max<std::int64_t>(divisor, 1);
}

/// Nanoseconds; 0 if there is no compute op.
std::int64_t ShortestCompute(const std::vector<Block>& blocks) {
  std::int64_t shortest = 0;
  for (const Block& block : blocks) {
    const std::int64_t length = (block.span.end - block.span.start).count();
    if (block.compute && (shortest == 0 || length < shortest)) {
      shortest = length;
    }
  }
  return shortest;
}

/// The least of 1, 2, 5, 10, 20, 50, ... that is not below `value`.
std::int64_t RoundNumber(std::int64_t value) {
  std::int64_t power = 1;
  while (power < value / 10) {
    power *= 10;
  }
  for (const std::int64_t factor : {1, 2, 5, 10, 20, 50}) {
    if (factor * power >= value) {
      return factor * power;
    }
  }
  return value;
}

Scale ChooseScale(const std::vector<Block>& blocks, Nanoseconds asked) {
  const std::int64_t divisor = CommonDivisor(blocks);
  if (asked.count() > 0) {
    return {asked.count(), divisor % asked.count() == 0};
  }

  std::int64_t end = 0;
  for (const Block& block : blocks) {
    end = std::max(end, block.span.end.count());
  }
  if (end / divisor <= kMostChosenColumns) {
    return {divisor, true};
  }

  // A column is half the shortest compute op, where that makes neither too many nor too few.
  const std::int64_t coarse = RoundNumber((end - 1) / kFewestColumns + 1);
  const std::int64_t fine = RoundNumber((end - 1) / kMostChosenColumns + 1);
  return {std::clamp(RoundNumber(ShortestCompute(blocks) / 2), fine, coarse), false};
}

/// `1.5 ms`: the largest unit that is not larger than `time`, without loss.
std::string InWords(std::int64_t nanoseconds) {
  struct Unit {
    std::int64_t size;
    std::string_view name;
  };
  constexpr std::array<Unit, 4> kUnits{
      {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}}};

  for (const Unit& unit : kUnits) {
    if (nanoseconds >= unit.size) {
      std::string text = fmt::format("{}", nanoseconds / unit.size);
      if (nanoseconds % unit.size != 0) {
        // The unit is added for its zeros, as in 1'005, and its 1 is erased again.
        text += fmt::format(".{}", unit.size + nanoseconds % unit.size).erase(1, 1);
        text.erase(text.find_last_not_of('0') + 1);
      }
      return fmt::format("{} {}", text, unit.name);
    }
  }

  return "0 ns";
}

/// To the nearest column; half a column counts up.
std::int64_t Rounded(Nanoseconds time, std::int64_t tick) {
  return time.count() / tick + (time.count() % tick > (tick - 1) / 2 ? 1 : 0);
}

/// What there is room for of a timeline.
struct Picture {
  std::vector<DiagramCell> cells;
  std::int64_t hidden = 0;  ///< Blocks too short for a column.
  bool cut = false;         ///< Blocks behind the last column were left out.
};

Picture PutIntoColumns(std::vector<Block> blocks, std::int64_t tick, std::int64_t columns) {
  Picture picture;
  for (Block& block : blocks) {
    const std::int64_t begin = Rounded(block.span.start, tick);
    const std::int64_t end = Rounded(block.span.end, tick);
    if (end > columns) {
      picture.cut = true;
    } else if (begin == end) {
      ++picture.hidden;
    } else {
      picture.cells.push_back({block.rank, begin, end, std::move(block.label)});
    }
  }
  return picture;
}

}  // namespace

std::string RenderTimeline(const Schedule& schedule, const Timeline& timeline,
                           const TextTimelineOptions& options) {
  std::vector<Block> blocks = BlocksOf(schedule, timeline, options.versions);
  const Scale scale = ChooseScale(blocks, options.tick);
  std::int64_t columns =
      options.max_columns > 0 ? std::min(options.max_columns, kMostColumns) : kMostColumns;
  // How wide a column is drawn depends on the labels in it.
  if (options.max_characters > 0) {
    const Picture whole = PutIntoColumns(blocks, scale.tick, columns);
    columns =
        std::min(columns, ColumnsWithin(whole.cells, schedule.shape.ranks, options.max_characters));
  }
  const Picture picture = PutIntoColumns(std::move(blocks), scale.tick, columns);

  std::string out = fmt::format("one column = {}{}\n", InWords(scale.tick),
                                scale.exact ? "" : ", edges rounded to the nearest column");
  out += RenderGrid(picture.cells, schedule.shape.ranks);
  if (picture.hidden > 0) {
    out += fmt::format("(not drawn: {} op{} shorter than a column)\n", picture.hidden,
                       picture.hidden == 1 ? "" : "s");
  }
  if (picture.cut) {
    out += fmt::format("(cut after {} columns)\n", columns);
  }
  return out;
}

}  // namespace stagecraft
