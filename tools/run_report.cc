#include "tools/run_report.h"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/op.h"
#include "tools/quantity.h"
#include "tools/table.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::optional<std::string> PeakOp(const SimulatedRun& run, const RankMetrics& rank) {
  return rank.peak_op ? std::optional(ToString(run.lowered.At(rank.peak_op))) : std::nullopt;
}

Json RankToJson(const SimulatedRun& run, const RankMetrics& rank) {
  return {{"rank", rank.rank},
          {"busy_ns", rank.busy.count()},
          {"bubble", rank.bubble},
          {"idle_ns",
           {{"warm_up", rank.idle.warm_up.count()},
            {"transfer", rank.idle.transfer.count()},
            {"dependency", rank.idle.dependency.count()},
            {"cool_down", rank.idle.cool_down.count()}}},
          {"peak_bytes", rank.peak_bytes},
          {"peak_op", OrNull(PeakOp(run, rank))}};
}

Json StageToJson(const StageMetrics& stage) {
  Json histogram = Json::object();
  for (const auto& [staleness, count] : stage.staleness_histogram) {
    histogram[std::to_string(staleness)] = count;
  }
  return {{"stage", stage.stage},
          {"weight_slots", stage.weight_slots},
          {"staleness_steady", OrNull(stage.staleness_steady)},
          {"staleness_max", stage.staleness_max},
          {"staleness_histogram", histogram},
          {"nominal_staleness_steady", OrNull(stage.nominal_staleness_steady)},
          {"activation_sets_peak", stage.activation_sets_peak}};
}

std::string HeadToText(const SimulatedRun& run) {
  const Shape& shape = run.lowered.shape;
  return fmt::format("{}: {} ranks, {} stages, {} micro-batches of {}, {} ops, {} sends\n",
                     run.lowered.name.empty() ? "schedule" : run.lowered.name, shape.ranks,
                     shape.stages, shape.microbatches, FormatSamples(run.costs.microbatch_size),
                     run.metrics.ops, ToString(run.topology.send));
}

std::string TotalsToText(const SimulatedRun& run) {
  const Metrics& metrics = run.metrics;
  std::string steady = "; no periodic steady state";
  if (metrics.cycle_ns && *metrics.cycle_ns > 0) {
    steady = fmt::format("; steady: {} samples/s, a micro-batch every {} ns",
                         FormatNumber(run.costs.microbatch_size * 1e9 / *metrics.cycle_ns),
                         FormatNumber(*metrics.cycle_ns));
  }
  return fmt::format(
      "  makespan    {}\n"
      "  bubble      {} of all rank-time; {} inside the worst rank's own window\n"
      "  throughput  {} samples/s{}\n",
      FormatDuration(metrics.makespan), FormatShare(metrics.bubble),
      FormatShare(metrics.window_bubble), FormatNumber(metrics.samples_per_second), steady);
}

std::string StagesToText(const SimulatedRun& run) {
  Table table;
  table.columns = {{"stage"},         {"weight copies"}, {"staleness"},
                   {"max staleness"}, {"nominal"},       {"activation sets"}};
  for (const StageMetrics& stage : run.metrics.stages) {
    table.rows.push_back({std::to_string(stage.stage), std::to_string(stage.weight_slots),
                          OrDash(stage.staleness_steady), std::to_string(stage.staleness_max),
                          OrDash(stage.nominal_staleness_steady),
                          std::to_string(stage.activation_sets_peak)});
  }
  return ToPlainText(table);
}

}  // namespace

Json RunToJson(const SimulatedRun& run) {
  const Metrics& metrics = run.metrics;
  Json ranks = Json::array();
  for (const RankMetrics& rank : metrics.ranks) {
    ranks.push_back(RankToJson(run, rank));
  }
  Json stages = Json::array();
  for (const StageMetrics& stage : metrics.stages) {
    stages.push_back(StageToJson(stage));
  }
  return {{"makespan_ns", metrics.makespan.count()},
          {"bubble", metrics.bubble},
          {"window_bubble", metrics.window_bubble},
          {"samples_per_second", metrics.samples_per_second},
          {"cycle_ns", OrNull(metrics.cycle_ns)},
          {"ops", metrics.ops},
          {"ranks", ranks},
          {"stages", stages},
          {"derived_costs", run.costs.derived},
          {"schedule", {{"name", run.lowered.name}, {"fingerprint", run.fingerprint}}}};
}

std::string RunToText(const SimulatedRun& run) {
  return HeadToText(run) + TotalsToText(run) + "\n" + RanksToText(run) + "\n" + StagesToText(run) +
         NotesToText(run.costs.derived);
}

std::string RanksToText(const SimulatedRun& run) {
  Table table;
  table.columns = {{"rank"},      {"busy"},        {"bubble"},
                   {"warm-up"},   {"transfer"},    {"dependency"},
                   {"cool-down"}, {"peak memory"}, {"at", Align::kLeft}};
  for (const RankMetrics& rank : run.metrics.ranks) {
    table.rows.push_back({std::to_string(rank.rank), FormatDuration(rank.busy),
                          FormatShare(rank.bubble), FormatDuration(rank.idle.warm_up),
                          FormatDuration(rank.idle.transfer), FormatDuration(rank.idle.dependency),
                          FormatDuration(rank.idle.cool_down), FormatBytes(rank.peak_bytes),
                          PeakOp(run, rank).value_or("-")});
  }
  return ToPlainText(table);
}

std::string NotesToText(const std::vector<std::string>& derived) {
  std::string text;
  for (const std::string& sentence : derived) {
    text += (text.empty() ? "\nnote: " : "note: ") + sentence + "\n";
  }
  return text;
}

std::string OrDash(const std::optional<std::int32_t>& value) {
  return value ? std::to_string(*value) : "-";
}

}  // namespace stagecraft
