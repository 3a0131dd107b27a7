#include "schedules/text.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "schedules/schedule.h"

namespace stagecraft {
namespace {

/// Longest line of a program; the next op goes on another line of the same rank.
constexpr std::size_t kProgramColumns = 100;

void AppendProgram(std::string& out, std::int32_t rank, const Program& program) {
  const std::string head = fmt::format("rank {:<4}", rank);
  std::size_t line = out.size();
  out += head;

  bool in_cell = false;
  std::string word;
  for (const Op& op : program) {
    word.clear();
    word += in_cell ? ';' : ' ';
    if (!in_cell && op.joined) {
      word += '(';
    }
    AppendTo(word, op);
    if (in_cell && !op.joined) {
      word += ')';
    }

    if (!in_cell && out.size() - line + word.size() > kProgramColumns) {
      out += '\n';
      line = out.size();
      out += head;
    }
    out += word;
    in_cell = op.joined;
  }
  out += '\n';
}

/// One line of display text: what would break the line, or start a comment, becomes a blank.
std::string OneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '#'; }, ' ');
  const std::size_t begin = text.find_first_not_of(' ');
  const std::size_t end = text.find_last_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

}  // namespace

std::string Print(const Schedule& schedule) {
  std::string out(kTextHeader);
  out += '\n';
  if (const std::string name = OneLine(schedule.name); !name.empty()) {
    out += "name      " + name + '\n';
  }
  if (const std::string source = OneLine(schedule.source); !source.empty()) {
    out += "source    " + source + '\n';
  }
  out += fmt::format("shape     ranks {} stages {} microbatches {}\n", schedule.shape.ranks,
                     schedule.shape.stages, schedule.shape.microbatches);
  if (schedule.mode == Mode::kForward) {
    out += "mode      forward\n";
  }

  for (std::int32_t rank = 0; rank < schedule.placement.Count(); ++rank) {
    out += fmt::format("place     {}:", rank);
    for (const std::int32_t stage : schedule.placement[rank]) {
      out += fmt::format(" {}", stage);
    }
    out += '\n';
  }

  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    AppendProgram(out, rank, schedule.programs[rank]);
  }
  return out;
}

}  // namespace stagecraft
