#include "schedules/torch_csv.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "schedules/fault_list.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/text/csv_cells.h"
#include "schedules/text/op_reader.h"
#include "schedules/visible_text.h"

namespace stagecraft {
namespace {

constexpr std::size_t kMaxDiagnostics = 20;

/// What torch has words for and a schedule does not need.
struct Ignored {
  std::string_view text;
  bool has_microbatch;
};
constexpr std::array<Ignored, 6> kIgnored = {{{"UNSHARD", false},
                                              {"RESHARD", false},
                                              {"REDUCE_GRAD", false},
                                              {"WAIT_REDUCE_GRAD", false},
                                              {"WAIT_SEND_F", true},
                                              {"WAIT_SEND_B", true}}};
constexpr std::string_view kOverlap = "OVERLAP_F_B";

constexpr std::int32_t kLargest = 999'999'999;  ///< Stage or micro-batch.

/// The number that `text` is, from 0 to `kLargest`; nothing if it is anything else.
std::optional<std::int32_t> ReadNumber(std::string_view text) {
  const std::optional<std::int32_t> number = ReadWholeNumber(text);
  return number && *number <= kLargest ? number : std::nullopt;
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

/// What was found, for a message.
std::string Shown(std::string_view text) {
  constexpr std::size_t kShown = 60;
  return Visible(text, kShown);
}

/// The part of `text` before `mark`, which both go; all of it if there is no mark.
std::string_view TakeUntil(std::string_view& text, char mark) {
  const std::size_t end = std::min(text.find(mark), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

/// `0SEND_F3` in its three parts.
struct Word {
  std::string_view stage;
  std::string_view kind;
  std::string_view microbatch;
};

Word SplitWord(std::string_view text) {
  const auto begin =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), IsDigit) - text.begin());
  const auto end = static_cast<std::size_t>(
      std::find_if(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), IsDigit) -
      text.begin());
  return {text.substr(0, begin), text.substr(begin, end - begin), text.substr(end)};
}

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file), faults_(file, kMaxDiagnostics) {}

  Result<TorchSchedule> Read(const std::vector<std::vector<std::string>>& rows,
                             const std::optional<Placement>& placement) {
    for (const std::vector<std::string>& row : rows) {
      ReadRow(row);
      ++rank_;
    }
    if (rank_ == 0) {
      Fault("expected a row per rank, found nothing");
    }
    if (faults_.Empty()) {
      Place(placement);
    }
    if (!faults_.Empty()) {
      return {std::nullopt, faults_.Take()};
    }
    read_.schedule.name = "torch";
    AddSteps();
    return {std::move(read_), Warnings()};
  }

 private:
  /// A word that has no effect, and where it stands.
  struct WithoutEffect {
    std::int32_t rank = 0;
    std::int32_t cell = 0;
    std::int32_t stage = 0;
    std::int32_t microbatch = 0;
  };

  std::vector<Diagnostic> Warnings() const {
    if (ignored_.empty()) {
      return {};
    }
    Diagnostic warning;
    warning.severity = Severity::kWarning;
    warning.where = file_;
    for (const auto& [word, count] : ignored_) {
      warning.message += fmt::format("{}{} {}", warning.message.empty() ? "" : ", ", count, word);
    }
    warning.message += ": read, without effect on a schedule";
    return {std::move(warning)};
  }

  void Fault(std::string message) {
    Diagnostic fault;
    fault.where =
        cell_ > 0 ? fmt::format("{}, rank {}, cell {}", file_, rank_, cell_) : std::string(file_);
    fault.message = std::move(message);
    faults_.Add(std::move(fault));
    ++found_;
  }

  void ReadRow(const std::vector<std::string>& row) {
    read_.schedule.programs.emplace_back();
    read_.cells.emplace_back();
    if (row.size() == 1 && Trim(row.front()).empty()) {
      Fault(fmt::format("row {} is empty; expected the cells of rank {}", rank_ + 1, rank_));
      return;
    }

    cell_ = 0;
    for (const std::string& text : row) {
      ++cell_;
      const std::string_view cell = Trim(text);
      if (!cell.empty()) {
        ReadCell(cell);
      } else if (first_idle_.first == 0) {
        first_idle_ = {cell_, rank_};
      }
    }
    cell_ = 0;
  }

  void ReadCell(std::string_view cell) {
    if (cell.front() == '(') {
      ReadOverlap(cell);
    } else if (const std::optional<Op> op = ReadAction(cell)) {
      Add(*op);
    }
  }

  void ReadOverlap(std::string_view cell) {
    const std::string_view whole = cell;
    cell.remove_prefix(1);
    std::string_view rest = TakeUntil(cell, ')');
    if (cell != kOverlap) {
      Fault(fmt::format("expected a cell of two such as (0F1;3B0){}, got '{}'", kOverlap,
                        Shown(whole)));
      return;
    }

    // A fault inside one of the two is reported once, by that one.
    const std::size_t found = found_;
    const std::string_view first = Trim(TakeUntil(rest, ';'));
    const std::optional<Op> forward = ReadAction(first);
    const std::optional<Op> backward = forward ? ReadAction(Trim(rest)) : std::nullopt;
    if (found_ > found) {
      return;
    }

    if (!forward || !backward || forward->kind != OpKind::kForward ||
        backward->kind != OpKind::kBackward) {
      Fault(fmt::format("expected an F and then a B in '{}'", Shown(whole)));
      return;
    }

    Add(*forward);
    read_.schedule.programs.back().back().joined = true;
    Add(*backward);
  }

  /// An op, or nothing: a fault, or a word without effect.
  std::optional<Op> ReadAction(std::string_view text) {
    const Word word = SplitWord(text);
    const std::optional<std::int32_t> stage = ReadNumber(word.stage);
    const std::optional<std::int32_t> microbatch = ReadNumber(word.microbatch);
    if (!stage || word.kind.empty() || (!microbatch && !word.microbatch.empty())) {
      Fault(fmt::format(
          "expected a cell such as 0F1 (stage, action, micro-batch) and nothing behind it, got "
          "'{}'",
          Shown(text)));
      return std::nullopt;
    }

    // Words without effect are counted for the warning that names them.
    for (const Ignored& ignored : kIgnored) {
      if (word.kind == ignored.text) {
        if (ignored.has_microbatch != microbatch.has_value()) {
          Fault(fmt::format("expected {} micro-batch behind {}, got '{}'",
                            ignored.has_microbatch ? "a" : "no", word.kind, Shown(text)));
        }
        ++ignored_[ignored.text];
        without_effect_.push_back({rank_, cell_, *stage, microbatch.value_or(0)});
        return std::nullopt;
      }
    }

    return ReadOperation(text, word, *stage, microbatch);
  }

  std::optional<Op> ReadOperation(std::string_view text, const Word& word, std::int32_t stage,
                                  std::optional<std::int32_t> microbatch) {
    if (word.kind == "BW") {
      if (!std::exchange(told_old_, true)) {
        Fault(fmt::format("'{}': {}", Shown(text), kOldTorchNames));
      }
      return std::nullopt;
    }
    const auto traits =
        std::find_if(AllOpTraits().begin(), AllOpTraits().end(), [&](const OpTraits& candidate) {
          const bool theirs = IsCommunication(candidate.kind) ||
                              (IsCompute(candidate.kind) && candidate.kind != OpKind::kRecompute);
          return theirs && candidate.text == word.kind;
        });
    if (traits == AllOpTraits().end()) {
      Fault(
          fmt::format("no action is called '{}'; expected F, B, I, W, SEND_F, RECV_F, SEND_B, "
                      "RECV_B or one of torch's others",
                      Shown(word.kind)));
      return std::nullopt;
    }
    if (!microbatch) {
      Fault(fmt::format("expected a micro-batch behind {}, got '{}'", word.kind, Shown(text)));
      return std::nullopt;
    }
    return Op{.kind = traits->kind, .stage = stage, .microbatch = *microbatch};
  }

  void Add(const Op& op) {
    read_.schedule.programs.back().push_back(op);
    read_.cells.back().push_back(cell_);
    has_communication_ = has_communication_ || IsCommunication(op.kind);
  }

  /// Shape and placement from what was read: a stage is where it computes.
  void Place(const std::optional<Placement>& given) {
    Schedule& schedule = read_.schedule;
    if (has_communication_ && first_idle_.first > 0) {
      std::tie(cell_, rank_) = first_idle_;
      Fault("an empty cell in a file with SENDs and RECVs; expected one action after the other");
      return;
    }

    // The ranks are the rows; `rank_` and `cell_` follow the walk, since faults name them.
    const std::int32_t ranks = rank_;
    std::map<std::int32_t, std::int32_t> rank_of;
    std::int32_t microbatches = 0;
    schedule.placement.resize(schedule.programs.size());

    for (rank_ = 0; rank_ < ranks; ++rank_) {
      const Program& program = schedule.programs[rank_];
      cell_ = 0;
      if (program.empty()) {
        Fault(fmt::format("row {} has no actions; expected those of the stages of rank {}",
                          rank_ + 1, rank_));
      }

      for (std::int32_t i = 0; i < program.Count(); ++i) {
        const Op& op = program[i];
        cell_ = read_.cells[rank_][i];
        microbatches = std::max(microbatches, op.microbatch + 1);

        // The first action of a stage places it.
        const auto [at, added] = rank_of.emplace(op.stage, rank_);
        if (added) {
          schedule.placement[rank_].push_back(op.stage);
        } else if (at->second != rank_) {
          Fault(
              fmt::format("stage {} stands on rank {} already; expected all of a stage's actions "
                          "in one row",
                          op.stage, at->second));
        }
      }
    }

    CheckWithoutEffect(rank_of, microbatches);
    cell_ = 0;

    // Stages are numbered without gaps, so that the highest tells how many there are.
    const std::int32_t stages = rank_of.empty() ? 0 : rank_of.rbegin()->first + 1;
    if (std::cmp_not_equal(stages, rank_of.size())) {
      Fault(fmt::format("stages up to {}, but only {} of them have actions; expected all from 0",
                        stages - 1, rank_of.size()));
      return;
    }

    schedule.shape = {ranks, stages, microbatches};
    if (given) {
      Adopt(*given);
    }
  }

  /// What has no effect must be of the row's stages and the file's micro-batches all the same.
  void CheckWithoutEffect(const std::map<std::int32_t, std::int32_t>& rank_of,
                          std::int32_t microbatches) {
    for (const WithoutEffect& word : without_effect_) {
      const auto at = rank_of.find(word.stage);
      if (at != rank_of.end() && at->second == word.rank && word.microbatch < microbatches) {
        continue;
      }
      rank_ = word.rank;
      cell_ = word.cell;
      Fault(fmt::format("of stage {} and micro-batch {}, which have no action in this row",
                        word.stage, word.microbatch));
    }
  }

  void Adopt(const Placement& given) {
    Placement sorted_given = given;
    Placement sorted_read = read_.schedule.placement;
    for (Placement* placement : {&sorted_given, &sorted_read}) {
      for (Table<std::int32_t>& stages : *placement) {
        std::sort(stages.begin(), stages.end());
      }
    }
    if (sorted_given != sorted_read) {
      Fault("the rows have stages on other ranks than the placement that was given says");
      return;
    }
    read_.schedule.placement = given;
  }

  /// An S per stage behind its last gradient, the rest of that cell and what is sent of it.
  void AddSteps() {
    for (std::int32_t rank = 0; rank < read_.schedule.programs.Count(); ++rank) {
      Program& program = read_.schedule.programs[rank];
      const std::map<std::int32_t, Table<std::int32_t>> places = StepPlaces(program);
      Program with_steps;
      Table<std::int32_t> cells;

      // One round more than there are ops, for the steps behind the last one.
      for (std::int32_t i = 0; i <= program.Count(); ++i) {
        if (const auto steps = places.find(i); steps != places.end()) {
          for (const std::int32_t stage : steps->second) {
            with_steps.push_back({.kind = OpKind::kStep, .stage = stage});
            cells.push_back(0);
          }
        }

        if (i < program.Count()) {
          with_steps.push_back(program[i]);
          cells.push_back(read_.cells[rank][i]);
        }
      }

      program = std::move(with_steps);
      read_.cells[rank] = std::move(cells);
    }
  }

  /// Before which op the steps of which stages stand. A stage without gradients has none: `Verify`
  /// says what is missing.
  static std::map<std::int32_t, Table<std::int32_t>> StepPlaces(const Program& program) {
    std::map<std::int32_t, std::int32_t> last;
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      if (TraitsOf(program[i].kind).accumulates) {
        last[program[i].stage] = i + 1;
      }
    }

    // Not inside a cell, and not before a SEND, which another rank waits for.
    std::map<std::int32_t, Table<std::int32_t>> places;
    for (auto [stage, at] : last) {
      while (at < program.Count() &&
             (program[at - 1].joined || TraitsOf(program[at].kind).is_send)) {
        ++at;
      }
      places[at].push_back(stage);
    }
    return places;
  }

  std::string_view file_;
  TorchSchedule read_;
  FaultList faults_;
  std::size_t found_ = 0;  ///< Faults, also of the same kind.
  bool told_old_ = false;  ///< That the file is from before the renaming.
  std::map<std::string_view, int> ignored_;
  std::vector<WithoutEffect> without_effect_;
  std::int32_t rank_ = 0;
  std::int32_t cell_ = 0;  ///< From 1; 0: none in particular.
  bool has_communication_ = false;
  std::pair<std::int32_t, std::int32_t> first_idle_{0, 0};  ///< Cell, if any, and rank.
};

}  // namespace

Result<TorchSchedule> ParseTorchCsv(std::string_view text, std::string_view file,
                                    const std::optional<Placement>& placement) {
  const Result<std::vector<std::vector<std::string>>> rows = ReadCsv(text, file);
  return rows ? Reader(file).Read(*rows.value, placement)
              : Result<TorchSchedule>{std::nullopt, rows.diagnostics};
}

}  // namespace stagecraft
