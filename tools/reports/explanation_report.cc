#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "tools/arguments/quantity.h"
#include "tools/reports/cut_report.h"
#include "tools/reports/run_report.h"
#include "tools/reports/table.h"
#include "tools/runs/explanation.h"

namespace stagecraft {
namespace {

// Lines in each list; of the rest there is only a sum or a number.
constexpr std::size_t kCostsListed = 8;
constexpr std::size_t kStepsListed = 5;
constexpr std::size_t kRemediesListed = 4;

/// 0 if the whole is 0.
double Share(Nanoseconds part, Nanoseconds whole) {
  return whole.count() == 0
             ? 0
             : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

/// How long the run takes, and what it is to be held against.
std::string TotalsToText(const SimulatedRun& run, const Explanation& explanation) {
  const Metrics& metrics = run.metrics;
  std::string text = fmt::format("{}: {} ranks, {} stages, {} micro-batches take {}, bubble {}\n",
                                 ShownName(run.lowered), run.lowered.shape.ranks,
                                 run.lowered.shape.stages, run.lowered.shape.microbatches,
                                 FormatDuration(metrics.makespan), FormatShare(metrics.bubble));

  // What no schedule can beat.
  Nanoseconds busiest{0};
  for (const RankMetrics& rank : metrics.ranks) {
    busiest = std::max(busiest, rank.busy);
  }
  text += fmt::format("  no run of this work on these ranks is shorter than its busiest rank: {}\n",
                      FormatDuration(busiest));

  if (!explanation.naive) {
    return text;
  }

  const TextbookEstimate& naive = *explanation.naive;
  const std::string slots =
      fmt::format("({} + {} - 1)", naive.microbatches, run.lowered.shape.ranks);
  return text + fmt::format(
                    "  the formula (m + p - 1) t says {}: {} x {} x {} of the slowest rank, bubble "
                    "{};\n  it knows nothing of transfers, uneven stages and updates\n",
                    FormatDuration(naive.makespan), naive.batches, slots,
                    FormatDuration(naive.slowest), FormatShare(naive.bubble));
}

/// What the critical path is made of, the largest part first.
std::string CostsToText(const SimulatedRun& run, const Explanation& explanation) {
  TextTable table;
  table.columns = {{"on the critical path", Align::kLeft}, {"times"}, {"time"}, {"share"}};

  const std::vector<Sensitivity>& costs = explanation.costs;
  Sensitivity rest;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    // The tail of the list is of no interest but in sum.
    if (i >= kCostsListed) {
      rest.steps += costs[i].steps;
      rest.total += costs[i].total;
      continue;
    }
    table.rows.push_back({ToString(costs[i].item), std::to_string(costs[i].steps),
                          FormatDuration(costs[i].total),
                          FormatShare(Share(costs[i].total, run.metrics.makespan))});
  }

  if (rest.steps > 0) {
    table.rows.push_back({fmt::format("{} more", costs.size() - kCostsListed),
                          std::to_string(rest.steps), FormatDuration(rest.total),
                          FormatShare(Share(rest.total, run.metrics.makespan))});
  }

  return ToPlainText(table);
}

/// `0F3@2`, and of a cell all members: `(0F3@2;1B0@2)`.
std::string OpsOf(const SimulatedRun& run, const CriticalStep& step) {
  const Program& program = run.lowered.programs[step.op.rank];
  const std::int32_t end = CellEnd(program, step.op.index);
  if (step.kind == CriticalStep::Kind::kTransfer || end == step.op.index + 1) {
    return ToString(run.lowered.At(step.op));
  }

  std::string text;
  for (std::int32_t i = step.op.index; i < end; ++i) {
    text += text.empty() ? '(' : ';';
    AppendTo(text, program[i]);
  }
  return text + ')';
}

/// One step: when it begins, where, which ops, how long.
std::string StepToText(const SimulatedRun& run, const CriticalStep& step) {
  return fmt::format("  {:>10}  rank {:<3} {}{} ({})\n", FormatDuration(step.start), step.op.rank,
                     OpsOf(run, step),
                     step.kind == CriticalStep::Kind::kTransfer ? " in flight" : "",
                     FormatDuration(step.end - step.start));
}

/// The first and the last steps of the critical path.
std::string PathToText(const SimulatedRun& run, const std::vector<CriticalStep>& path) {
  std::string text =
      fmt::format("the critical path has {} steps; it begins and ends with\n", path.size());

  // The two ends of a short path must not overlap.
  const std::size_t head = std::min(path.size(), kStepsListed);
  const std::size_t tail = std::max(head, path.size() - std::min(path.size(), kStepsListed));

  for (std::size_t i = 0; i < head; ++i) {
    text += StepToText(run, path[i]);
  }
  if (tail > head) {
    text += fmt::format("  ... {} more\n", tail - head);
  }
  for (std::size_t i = tail; i < path.size(); ++i) {
    text += StepToText(run, path[i]);
  }
  return text;
}

/// Remedies after which the run takes equally long.
using Tie = std::span<const Remedy>;

/// Requires remedies that are equally good to stand together.
std::vector<Tie> TiesOf(std::span<const Remedy> remedies) {
  std::vector<Tie> ties;
  for (std::size_t begin = 0; begin < remedies.size();) {
    std::size_t end = begin + 1;
    while (end < remedies.size() && remedies[end].after == remedies[begin].after) {
      ++end;
    }
    ties.push_back(remedies.subspan(begin, end - begin));
    begin = end;
  }
  return ties;
}

/// `F of stage 0, 10 % less`; `F of stages 0, 1 or B of stage 3, any one of them 10 % better`.
std::string NamesOf(Tie tie) {
  if (tie.size() == 1) {
    const CostItem& item = tie.front().item;
    const bool is_rate =
        item.what == CostItem::What::kBandwidth || item.what == CostItem::What::kSpeed;
    return fmt::format("{}, 10 % {}", ToString(item), is_rate ? "more" : "less");
  }

  std::string text;
  for (std::size_t begin = 0; begin < tie.size();) {
    const CostItem& first = tie[begin].item;
    // The same figure of several stages or ranks is named once.
    std::vector<CostItem> alike;
    for (; begin < tie.size() && tie[begin].item.what == first.what &&
           tie[begin].item.kind == first.kind;
         ++begin) {
      alike.push_back(tie[begin].item);
    }
    text += text.empty() ? "" : " or ";
    text += ToString(alike);
  }
  return text + ", any one of them 10 % better";
}

/// One line: which figures, and how much shorter the run would be.
std::string TieToText(const SimulatedRun& run, Tie tie) {
  const Nanoseconds before = run.metrics.makespan;
  const Nanoseconds after = tie.front().after;
  return fmt::format("{}: {} -> {}, {:.2f} % shorter\n", NamesOf(tie), FormatDuration(before),
                     FormatDuration(after), Share(before - after, before) * 100);
}

/// The best of `remedies` behind `head`, and the next ones that help; `none` if nothing does.
std::string BestToText(const SimulatedRun& run, std::span<const Remedy> remedies,
                       std::string_view head, std::string_view none) {
  std::vector<Tie> ties = TiesOf(remedies);
  // The last tie may be of those that change nothing.
  std::size_t without_effect = 0;
  if (!ties.empty() && ties.back().front().after >= run.metrics.makespan) {
    without_effect = ties.back().size();
    ties.pop_back();
  }
  if (ties.empty()) {
    return fmt::format("{}: {}\n", head, none);
  }

  std::string text;
  std::size_t listed = 0;
  for (std::size_t i = 0; i < std::min(ties.size(), kRemediesListed); ++i) {
    text += i == 0 ? fmt::format("{}: ", head) : "  then: ";
    text += TieToText(run, ties[i]);
    listed += ties[i].size();
  }
  const std::size_t less = remedies.size() - without_effect - listed;
  if (less + without_effect > 0) {
    text += fmt::format("  ({} more save less, {} nothing)\n", less, without_effect);
  }
  return text;
}

/// What would make the run shorter, costs and speeds of ranks apart.
std::string RemediesToText(const SimulatedRun& run, const Explanation& explanation) {
  if (explanation.remedies.empty()) {
    return "nothing takes time, so there is nothing to fix\n";
  }

  // The speed of a rank is in all its ops: in one list it would hide which cost to look at.
  std::vector<Remedy> costs = explanation.remedies;
  const auto speeds = std::stable_partition(costs.begin(), costs.end(), [](const Remedy& remedy) {
    return remedy.item.what != CostItem::What::kSpeed;
  });
  const std::vector<Remedy> ranks(speeds, costs.end());
  costs.erase(speeds, costs.end());
  return BestToText(run, costs, "what to fix first", "no single cost makes the run shorter") +
         BestToText(run, ranks, "which rank to speed up first",
                    "no single rank makes the run shorter") +
         "(each was tried alone, with the order of the ops as it is: times 10 % less, bandwidth "
         "and "
         "speeds 10 % more)\n";
}

}  // namespace

std::string ExplanationToText(const SimulatedRun& run, const Explanation& explanation) {
  const std::string cut = CutToText(run.costs);
  return TotalsToText(run, explanation) + MemoryToText(run) + "\n" +
         RemediesToText(run, explanation) + "\n" + CostsToText(run, explanation) + "\n" +
         PathToText(run, explanation.path) +
         "\nwhere each rank's time goes; idle before its first op, waiting for transfers, waiting "
         "for other ops, after its last\n" +
         RanksToText(run) + (cut.empty() ? "" : "\n" + cut) + NotesToText(run.costs.derived);
}

}  // namespace stagecraft
