#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tools/explanation.h"
#include "tools/quantity.h"
#include "tools/run_report.h"
#include "tools/table.h"

namespace stagecraft {
namespace {

constexpr std::size_t kCostsListed = 8;
constexpr std::size_t kStepsListed = 5;

double Share(Nanoseconds part, Nanoseconds whole) {
  return whole.count() == 0
             ? 0
             : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

std::string CostName(const Sensitivity& cost) {
  return fmt::format("{} of stage {}", TraitsOf(cost.kind).text, cost.stage);
}

std::string TotalsToText(const SimulatedRun& run, const Explanation& explanation) {
  const Metrics& metrics = run.metrics;
  std::string text =
      fmt::format("{}: {} ranks, {} stages, {} micro-batches take {}, bubble {}\n",
                  run.lowered.name.empty() ? "schedule" : run.lowered.name, run.lowered.shape.ranks,
                  run.lowered.shape.stages, run.lowered.shape.microbatches,
                  FormatDuration(metrics.makespan), FormatShare(metrics.bubble));
  Nanoseconds busiest{0};
  for (const RankMetrics& rank : metrics.ranks) {
    busiest = std::max(busiest, rank.busy);
  }
  text += fmt::format("  no run of this work on these ranks is shorter than its busiest rank: {}\n",
                      FormatDuration(busiest));
  if (!explanation.naive) {
    return text;
  }
  const NaiveEstimate& naive = *explanation.naive;
  const std::string slots =
      fmt::format("({} + {} - 1)", naive.microbatches, run.lowered.shape.ranks);
  return text + fmt::format(
                    "  the formula (m + p - 1) t says {}: {} x {} x {} of the slowest rank, bubble "
                    "{};\n  it knows nothing of transfers, uneven stages and updates\n",
                    FormatDuration(naive.makespan), naive.batches, slots,
                    FormatDuration(naive.slowest), FormatShare(naive.bubble));
}

std::string CostsToText(const SimulatedRun& run, const Explanation& explanation) {
  Table table;
  table.columns = {{"on the critical path", Align::kLeft}, {"times"}, {"time"}, {"share"}};
  const std::vector<Sensitivity>& costs = explanation.costs;
  Sensitivity rest;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (i >= kCostsListed) {
      rest.steps += costs[i].steps;
      rest.total += costs[i].total;
      continue;
    }
    table.rows.push_back({CostName(costs[i]), std::to_string(costs[i].steps),
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

std::string StepToText(const SimulatedRun& run, const CriticalStep& step) {
  const Op& op = run.lowered.At(step.op);
  return fmt::format("  {:>10}  rank {:<3} {}{} ({})\n", FormatDuration(step.start), step.op.rank,
                     ToString(op), step.kind == CriticalStep::Kind::kTransfer ? " in flight" : "",
                     FormatDuration(step.end - step.start));
}

std::string PathToText(const SimulatedRun& run, const std::vector<CriticalStep>& path) {
  std::string text =
      fmt::format("the critical path has {} steps; it begins and ends with\n", path.size());
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

std::string RemedyToText(const Remedy& remedy) {
  const bool transfers = IsCommunication(remedy.cost.kind);
  const double saved = Share(remedy.before - remedy.after, remedy.before);
  return fmt::format("{} 10 % {}: {} -> {}, {:.2f} % shorter",
                     transfers ? "all transfers" : CostName(remedy.cost), "faster",
                     FormatDuration(remedy.before), FormatDuration(remedy.after), saved * 100);
}

std::string RemediesToText(const Explanation& explanation) {
  const std::vector<Remedy>& remedies = explanation.remedies;
  if (remedies.empty()) {
    return "nothing takes time, so there is nothing to fix\n";
  }
  std::string text;
  if (remedies.front().after < remedies.front().before) {
    text = "what to fix first: " + RemedyToText(remedies.front()) + "\n";
  } else {
    text = "what to fix first: no single cost, 10 % lower, makes the run shorter\n";
  }
  text += "(each was simulated again with that one cost reduced)\n";
  for (std::size_t i = 1; i < remedies.size(); ++i) {
    text += "  then: " + RemedyToText(remedies[i]) + "\n";
  }
  return text;
}

}  // namespace

std::string ExplanationToText(const SimulatedRun& run, const Explanation& explanation) {
  return TotalsToText(run, explanation) + "\n" + RemediesToText(explanation) + "\n" +
         CostsToText(run, explanation) + "\n" + PathToText(run, explanation.path) +
         "\nwhere each rank's time goes; idle before its first op, waiting for transfers, waiting "
         "for other ops, after its last\n" +
         RanksToText(run) + NotesToText(run.costs.derived);
}

}  // namespace stagecraft
