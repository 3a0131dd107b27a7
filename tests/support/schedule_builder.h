#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schedules/activations.h"
#include "schedules/diagnostic.h"
#include "schedules/op.h"
#include "schedules/option_check.h"
#include "schedules/registry.h"
#include "schedules/schedule.h"
#include "schedules/text.h"

namespace stagecraft {

/// How GoogleTest prints a schedule that is not the expected one.
inline void PrintTo(const Schedule& schedule, std::ostream* out) {
  *out << '\n' << Print(schedule);
}

}  // namespace stagecraft

namespace stagecraft::test {

/// Every diagnostic as a user sees it, one after the other.
inline std::string Texts(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    text += ToString(diagnostic) + '\n';
  }
  return text;
}

/// The schedule that `text` says; what is wrong with it stands in the test's output.
inline Schedule ParseOk(std::string_view text) {
  Result<Schedule> result = Parse(text, "test.sched");
  EXPECT_TRUE(result) << Texts(result.diagnostics) << text;
  return result ? *std::move(result.value) : Schedule{};
}

/// The text of a schedule with one line `STAGES: OPS` per rank, as in `0 3: 0F0@0 3F0@0`; as many
/// stages as the placements need.
inline std::string ProgramsText(int microbatches, const std::vector<std::string>& ranks) {
  int stages = 0;
  std::string places;
  std::string programs;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const std::size_t colon = ranks[rank].find(':');
    const std::string placed = ranks[rank].substr(0, colon);
    for (std::size_t at = 0; at < placed.size() && placed[at] != ' ';) {
      std::size_t length = 0;
      stages = std::max(stages, std::stoi(placed.substr(at), &length) + 1);
      at += length + 1;
    }
    places += "place " + std::to_string(rank) + ": " + placed + '\n';
    programs += "rank " + std::to_string(rank) + ' ' + ranks[rank].substr(colon + 1) + '\n';
  }
  return "stagecraft schedule 1\nshape ranks " + std::to_string(ranks.size()) + " stages " +
         std::to_string(stages) + " microbatches " + std::to_string(microbatches) + '\n' + places +
         programs;
}

inline Schedule Programs(int microbatches, const std::vector<std::string>& ranks) {
  return ParseOk(ProgramsText(microbatches, ranks));
}

/// Evaluation: the same in forward mode.
inline Schedule ForwardPrograms(int microbatches, const std::vector<std::string>& ranks) {
  Schedule schedule = Programs(microbatches, ranks);
  schedule.mode = Mode::kForward;
  return schedule;
}

/// The ops of one rank, cells in parentheses: `0F0@0 (0F1@0;0B0@0) 0S@0`.
inline std::string ProgramText(const Schedule& schedule, std::size_t rank) {
  std::string text;
  bool in_cell = false;
  for (const Op& op : schedule.programs.at(rank)) {
    text += in_cell ? ";" : text.empty() ? "" : " ";
    text += op.joined && !in_cell ? "(" : "";
    AppendTo(text, op);
    text += in_cell && !op.joined ? ")" : "";
    in_cell = op.joined;
  }
  return text;
}

/// What `stagecraft generate NAME ...` gives; what is wrong with the options stands in the output.
inline Schedule Make(std::string_view name, const GeneratorOptions& options) {
  Result<Schedule> result = Generate(name, options);
  EXPECT_TRUE(result) << Texts(result.diagnostics);
  return result ? *std::move(result.value) : Schedule{};
}

/// What is wrong with the options, as a person sees it; empty if nothing is.
inline std::string Faults(std::string_view name, const GeneratorOptions& options) {
  const Result<Schedule> result = Generate(name, options);
  EXPECT_EQ(static_cast<bool>(result), result.diagnostics.empty());
  return Texts(result.diagnostics);
}

/// Most full activation sets that `rank` holds at a time, of all its stages.
inline std::int64_t MostSets(const Schedule& schedule, std::int32_t rank) {
  std::int64_t most = 0;
  for (const MemoryLevel& level : ActivationSetLevels(schedule, rank)) {
    most = std::max(most, level.during);
  }
  return most;
}

/// As `Make`; a generator that needs another shape gets the next even number of ranks, and the next
/// multiple of twice that of micro-batches.
inline Schedule MakeNear(const stagecraft::Generator& generator, GeneratorOptions options) {
  if (!CheckOptions(generator, options).empty()) {
    options.ranks += options.ranks % 2;
    const std::int32_t unit = 2 * options.ranks;
    options.microbatches = (options.microbatches + unit - 1) / unit * unit;
  }
  return Make(generator.name, options);
}

/// What the ops of `kind` of one stage read, by micro-batch: `0 0 0+1 1`.
inline std::string Reads(const Schedule& schedule, int stage, OpKind kind) {
  std::vector<std::string> read(static_cast<std::size_t>(schedule.shape.microbatches), "-");
  for (const Program& program : schedule.programs) {
    for (const Op& op : program) {
      if (op.kind == kind && op.stage == stage) {
        std::string& text = read.at(static_cast<std::size_t>(op.microbatch));
        text = std::to_string(op.version);
        text += op.horizon > 0 ? "+" : "";
        text += op.horizon != 0 ? std::to_string(op.horizon) : "";
      }
    }
  }
  std::string line;
  for (const std::string& text : read) {
    line += (line.empty() ? "" : " ") + text;
  }
  return line;
}

/// The op of `kind` for one stage and micro-batch; `kNoOp` if there is none.
inline OpRef FindOp(const Schedule& schedule, OpKind kind, int stage, int microbatch) {
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    for (std::size_t i = 0; i < schedule.programs[rank].size(); ++i) {
      const Op& op = schedule.programs[rank][i];
      if (op.kind == kind && op.stage == stage && op.microbatch == microbatch) {
        return {static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)};
      }
    }
  }
  return kNoOp;
}

/// `12,7,3`: for comparing and printing a figure per stage or rank.
template <typename Numbers>
std::string List(const Numbers& numbers) {
  std::string line;
  for (const auto& number : numbers) {
    line += (line.empty() ? "" : ",") + std::to_string(number);
  }
  return line;
}

}  // namespace stagecraft::test
