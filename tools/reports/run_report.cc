#include "tools/reports/run_report.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/fingerprint.h"
#include "schedules/op.h"
#include "schedules/visible_text.h"
#include "tools/arguments/quantity.h"
#include "tools/reports/cut_report.h"
#include "tools/reports/table.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// The first op during which the rank holds most; nullopt if it has no ops.
std::optional<std::string> PeakOp(const SimulatedRun& run, const RankMetrics& rank) {
  return rank.peak_op ? std::optional(ToString(run.lowered.At(rank.peak_op))) : std::nullopt;
}

Json RankToJson(const SimulatedRun& run, const RankMetrics& rank) {
  return {{"rank", rank.rank},
          {"busy_ns", rank.busy.count()},
          {"bubble", rank.bubble},
          // The four causes add up to all idle time.
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

/// Null where transfers take the latency only: no number says unlimited.
Json BandwidthToJson(const Topology& topology) {
  return topology.bandwidth > 0 ? Json(topology.bandwidth) : Json(nullptr);
}

Json TopologyToJson(const SimulatedRun& run) {
  Json speed = Json::array();
  for (std::int32_t rank = 0; rank < run.lowered.shape.ranks; ++rank) {
    speed.push_back(run.topology.SpeedOf(rank));
  }
  return {{"send", ToString(run.topology.send)},
          {"latency_ns", run.topology.latency.count()},
          {"bandwidth_bytes_per_second", BandwidthToJson(run.topology)},
          {"speed", speed}};
}

/// A schedule is the same whether its sends and receives are written out: hence two fingerprints.
Json ScheduleToJson(const Schedule& schedule) {
  const FingerprintPair fingerprints = FingerprintsOf(schedule);
  return {{"name", schedule.name},
          {"fingerprint", fingerprints.schedule},
          {"lowered_fingerprint", fingerprints.lowered}};
}

/// Fields that ops of its kind don't have are left out.
Json OpToJson(const Op& op, std::int32_t rank, const Span& span) {
  const OpTraits& traits = TraitsOf(op.kind);
  Json json = {{"op", ToString(op)}, {"kind", traits.text}, {"rank", rank}, {"stage", op.stage}};

  // The table of traits says which fields a kind of op has.
  if (traits.has_microbatch) {
    json["microbatch"] = op.microbatch;
  }
  if (traits.has_version) {
    json["version"] = op.version;
  }
  if (traits.has_horizon) {
    json["horizon"] = op.horizon;
  }

  if (op.joined) {
    json["joined_with_next"] = true;
  }
  json["start_ns"] = span.start.count();
  json["end_ns"] = span.end.count();
  return json;
}

/// Every op in the order of op ids: rank by rank, in program order.
Json OpTimesToJson(const Schedule& schedule, const Timeline& timeline) {
  Json ops = Json::array();
  std::size_t id = 0;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    for (const Op& op : schedule.programs[rank]) {
      ops.push_back(OpToJson(op, rank, timeline.spans[id++]));
    }
  }
  return ops;
}

Json TransfersToJson(const Schedule& schedule, const Timeline& timeline) {
  Json transfers = Json::array();
  for (const Transfer& transfer : timeline.transfers) {
    transfers.push_back({{"send", ToString(schedule.At(transfer.send))},
                         {"recv", ToString(schedule.At(transfer.recv))},
                         {"from_rank", transfer.send.rank},
                         {"to_rank", transfer.recv.rank},
                         {"bytes", transfer.bytes},
                         {"start_ns", transfer.start.count()},
                         {"arrival_ns", transfer.arrival.count()}});
  }
  return transfers;
}

/// What was simulated, and with which costs.
std::string HeadToText(const SimulatedRun& run) {
  const Shape& shape = run.lowered.shape;
  return fmt::format("{}: {} ranks, {} stages, {} micro-batches of {}, {} ops, {} sends; {}\n",
                     ShownName(run.lowered), shape.ranks, shape.stages, shape.microbatches,
                     FormatSamples(run.costs.microbatch_size), run.metrics.ops,
                     ToString(run.topology.send), run.costs_basis);
}

/// What the run comes to as a whole.
std::string TotalsToText(const SimulatedRun& run) {
  const Metrics& metrics = run.metrics;
  // Only a periodic steady state has a throughput of its own.
  std::string steady = "; no periodic steady state";
  if (metrics.cycle_ns && *metrics.cycle_ns > 0) {
    steady = fmt::format("; steady: {} samples/s, a micro-batch every {}",
                         FormatNumber(run.costs.microbatch_size * 1e9 / *metrics.cycle_ns),
                         FormatDuration(Nanoseconds(std::llround(*metrics.cycle_ns))));
  }

  return fmt::format(
      "  fingerprint {}\n"
      "  makespan    {}\n"
      "  bubble      {} of all rank-time; {} inside the worst rank's own window\n"
      "  throughput  {} samples/s{}\n",
      FingerprintsToText(run.lowered), FormatDuration(metrics.makespan),
      FormatShare(metrics.bubble), FormatShare(metrics.window_bubble),
      FormatNumber(metrics.samples_per_second), steady);
}

/// What each stage needs to hold, and how stale its gradients are.
std::string StagesToText(const SimulatedRun& run) {
  TextTable table;
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

Json RunToJson(const SimulatedRun& run, bool with_ops) {
  const Metrics& metrics = run.metrics;
  Json ranks = Json::array();
  for (const RankMetrics& rank : metrics.ranks) {
    ranks.push_back(RankToJson(run, rank));
  }

  Json stages = Json::array();
  for (const StageMetrics& stage : metrics.stages) {
    stages.push_back(StageToJson(stage));
  }

  Json json = {{"format", "stagecraft-simulation"},
               {"version", 1},
               {"makespan_ns", metrics.makespan.count()},
               {"bubble", metrics.bubble},
               {"window_bubble", metrics.window_bubble},
               {"samples_per_second", metrics.samples_per_second},
               {"cycle_ns", OrNull(metrics.cycle_ns)},
               {"ops", metrics.ops},
               {"ranks", ranks},
               {"stages", stages},
               {"fits", run.memory.empty() ? Json(nullptr) : Json(Fits(run.metrics, run.memory))},
               {"cut", CutToJson(run.costs)},
               {"derived_costs", run.costs.derived},
               {"topology", TopologyToJson(run)},
               {"schedule", ScheduleToJson(run.lowered)}};

  // Times of all ops are most of the output, so they come only on request.
  if (with_ops) {
    json["op_times"] = OpTimesToJson(run.lowered, run.timeline);
    json["transfers"] = TransfersToJson(run.lowered, run.timeline);
  }
  return json;
}

std::string RunToText(const SimulatedRun& run) {
  const std::string cut = CutToText(run.costs);
  return HeadToText(run) + TotalsToText(run) + MemoryToText(run) + "\n" + RanksToText(run) + "\n" +
         StagesToText(run) + (cut.empty() ? "" : "\n" + cut) + NotesToText(run.costs.derived);
}

std::string MemoryToText(const SimulatedRun& run) {
  std::string text;
  for (std::size_t rank = 0; rank < run.memory.size(); ++rank) {
    const std::int64_t peak = run.metrics.ranks[rank].peak_bytes;
    if (peak > run.memory[rank]) {
      text += fmt::format("  memory      does not fit: rank {} holds {}, and may hold {}\n", rank,
                          FormatBytes(peak), FormatBytes(run.memory[rank]));
    }
  }
  return text.empty() && !run.memory.empty() ? "  memory      fits on every rank\n" : text;
}

bool Fits(const Metrics& metrics, std::span<const std::int64_t> memory) {
  for (std::size_t rank = 0; rank < memory.size(); ++rank) {
    if (metrics.ranks[rank].peak_bytes > memory[rank]) {
      return false;
    }
  }
  return true;
}

std::string RanksToText(const SimulatedRun& run) {
  TextTable table;
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

std::string FingerprintsToText(const Schedule& schedule) {
  const FingerprintPair fingerprints = FingerprintsOf(schedule);
  return HasCommunication(schedule) ? fmt::format("{} (with its sends and receives {})",
                                                  fingerprints.schedule, fingerprints.lowered)
                                    : fingerprints.schedule;
}

std::string NotesToText(const std::vector<std::string>& derived) {
  std::string text;
  for (const std::string& sentence : derived) {
    text += (text.empty() ? "\nnote: " : "note: ") + Visible(sentence) + "\n";
  }
  return text;
}

std::string ShownName(const Schedule& schedule) {
  return schedule.name.empty() ? "schedule" : Visible(schedule.name);
}

std::string OrDash(const std::optional<std::int32_t>& value) {
  return value ? std::to_string(*value) : "-";
}

}  // namespace stagecraft
