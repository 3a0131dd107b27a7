#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schedules/schedule.h"

namespace stagecraft {

/// One labelled block on a rank's row, in columns of equal time.
struct DiagramCell {
  std::int32_t rank = 0;
  std::int64_t begin = 0;  ///< Column, at least 0.
  std::int64_t end = 0;    ///< Exclusive; greater than `begin`.
  std::string label;
};

/// The grid that all our pictures share:
///
///   rank 0 | F0 F1 .  .  B0--- .  B1---
///   rank 1 | .  F0 B0--- F1 B1--- .  .
///
/// Every column is as wide as the longest label that must fit into one; a block that is longer
/// than its label is drawn on with '-'; '.' is an idle column. Cells of a rank must not overlap.
std::string RenderGrid(const std::vector<DiagramCell>& cells, std::int32_t ranks);

/// How many columns of that grid fit into lines of `characters`, at least 1, if cells that reach
/// beyond are drawn up to there.
std::int64_t ColumnsWithin(const std::vector<DiagramCell>& cells, std::int32_t ranks,
                           std::int64_t characters);

/// What `RenderSchedule` writes on an op.
struct DiagramOptions {
  bool versions = false;            ///< `F3@2+1` instead of `F3`.
  bool updates = false;             ///< Also S, P and A, one column each.
  std::int64_t max_columns = 0;     ///< Cut the picture there, with a note; 0 draws all.
  std::int64_t max_characters = 0;  ///< Cut it where lines would be longer; 0 does not.
};

/// The schedule as soon as possible, in ticks: F, I, W and R take one, B two, other ops none.
/// The stage is part of the label where some rank holds several. Requires `Verify` empty.
std::string RenderSchedule(const Schedule& schedule, const DiagramOptions& options = {});

/// The programs as lists, `context` ops around `marked`, which gets a caret: for error messages.
std::string RenderProgram(const Schedule& schedule, OpRef marked, std::int32_t context = 4);

}  // namespace stagecraft
