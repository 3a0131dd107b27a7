#include "tools/reports/comparison_report.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/visible_text.h"
#include "tools/arguments/quantity.h"
#include "tools/reports/cut_report.h"
#include "tools/reports/table.h"

namespace stagecraft {
namespace {

using Json = nlohmann::ordered_json;

// How many stages are listed one by one at most, and how many if all have the same figure.
constexpr std::size_t kStagesListed = 8;
constexpr std::size_t kStagesListedIfAlike = 4;

/// What the columns of the table mean.
const char* const kLegend =
    "\nBubble: share of all ranks' time spent idle; window: the same for the worst rank alone, "
    "from its\nfirst to its last op. Peak memory is the worst rank's. Per stage: weight copies, "
    "activation sets,\nstaleness (updates that a gradient missed, once the pipeline is full) and "
    "nominal staleness (counted\nfrom the weights that a prediction aimed at).\n";

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// `-` stands for a figure that does not exist.
std::string ToText(const std::optional<std::int32_t>& value) {
  return value ? std::to_string(*value) : "-";
}

/// `4,3,2,1`: a figure of every stage, or its range where there are many stages or all are alike.
template <typename Figure>
std::string PerStage(const Metrics& metrics, Figure figure) {
  std::string text;
  const auto same = [&](const StageMetrics& stage) {
    return figure(stage) == figure(metrics.stages.front());
  };
  const bool alike = metrics.stages.size() > kStagesListedIfAlike &&
                     std::all_of(metrics.stages.begin(), metrics.stages.end(), same);

  if (metrics.stages.size() <= kStagesListed && !alike) {
    for (const StageMetrics& stage : metrics.stages) {
      text += text.empty() ? "" : ",";
      text += ToText(figure(stage));
    }
    return text;
  }

  // Stages that have no such figure do not count for the range.
  std::optional<std::int32_t> low;
  std::optional<std::int32_t> high;
  for (const StageMetrics& stage : metrics.stages) {
    const std::optional<std::int32_t> value = figure(stage);
    if (value) {
      low = std::min(low.value_or(*value), *value);
      high = std::max(high.value_or(*value), *value);
    }
  }
  return low == high ? ToText(low) : fmt::format("{}..{}", ToText(low), ToText(high));
}

// Figures of one stage, for `PerStage` and `StageArray`.
std::optional<std::int32_t> Slots(const StageMetrics& stage) {
  return stage.weight_slots;
}
std::optional<std::int32_t> Sets(const StageMetrics& stage) {
  return stage.activation_sets_peak;
}
std::optional<std::int32_t> Steady(const StageMetrics& stage) {
  return stage.staleness_steady;
}
std::optional<std::int32_t> Most(const StageMetrics& stage) {
  return stage.staleness_max;
}
std::optional<std::int32_t> Nominal(const StageMetrics& stage) {
  return stage.nominal_staleness_steady;
}

/// Whether the rows differ in a figure.
template <typename Figure>
bool Differ(const Comparison& comparison, Figure figure) {
  return std::any_of(comparison.rows.begin(), comparison.rows.end(), [&](const auto& row) {
    return figure(row) != figure(comparison.rows.front());
  });
}

/// Samples in the whole run.
double SamplesOf(const ComparisonRow& row) {
  return row.shape.microbatches * row.microbatch_size;
}

/// What the rows have in common: the work that every one of them does.
std::string UnitToText(const Comparison& comparison) {
  const ComparisonSettings& settings = comparison.settings;
  // Rows of unequal work are only there if --unequal asked for them.
  if (Differ(comparison, SamplesOf)) {
    return "unequal work: rows differ in what they pipeline; see their micro-batches";
  }

  const std::string each = FormatSamples(settings.microbatch_size);
  if (!settings.batches) {
    return fmt::format("every file pipelines {} micro-batches of {}",
                       comparison.rows.front().shape.microbatches, each);
  }

  if (settings.unit == ComparisonUnit::kMicrobatch) {
    return fmt::format(
        "unit micro-batch: every approach pipelines the same {} x {} micro-batches of {}",
        *settings.batches, *settings.microbatches, each);
  }

  return fmt::format(
      "unit batch: {} batches of {}; approaches that pipeline whole batches do, the others "
      "split each into {} micro-batches and update once per batch (2BW too, which by "
      "micro-batches updates after every {}, one per rank)",
      *settings.batches, FormatSamples(settings.microbatch_size * *settings.microbatches),
      *settings.microbatches, settings.ranks);
}

/// The lines above the table.
std::string SettingsToText(const Comparison& comparison) {
  const ComparisonSettings& settings = comparison.settings;
  std::string text;
  // Names out of a profile are from outside, hence shown `Visible`.
  if (settings.profile && !settings.profile->model.empty()) {
    text += Visible(settings.profile->model);
    text += settings.profile->device.empty() ? "" : " on " + Visible(settings.profile->device);
    text += ", ";
  }

  const Topology& topology = settings.topology;
  return text + fmt::format("{} ranks, bandwidth {}, latency {}, {} sends, receives {}\n{}; {}\n",
                            settings.ranks,
                            topology.bandwidth > 0
                                ? FormatBytes(static_cast<std::int64_t>(topology.bandwidth)) + "/s"
                                : "unlimited",
                            FormatDuration(topology.latency), ToString(topology.send),
                            settings.receive, UnitToText(comparison), settings.costs);
}

/// Notes of the table and of all rows, each once, in the order of their first mention.
std::string NotesOf(const Comparison& comparison) {
  std::vector<std::string_view> seen;
  std::string text;
  // Many rows share their notes.
  const auto add = [&](const std::vector<std::string>& notes) {
    for (const std::string& note : notes) {
      if (std::find(seen.begin(), seen.end(), note) == seen.end()) {
        seen.push_back(note);
        text += "note: " + Visible(note) + "\n";
      }
    }
  };

  add(comparison.notes);
  for (const ComparisonRow& row : comparison.rows) {
    add(row.costs.derived);
  }
  return text.empty() ? text : "\n" + text;
}

/// Whether the costs of two rows rest on the same cut, for micro-batches of one size.
bool SameCut(const ComparisonRow& a, const ComparisonRow& b) {
  const auto first = [](const StageLayers& layers) { return layers.first; };
  return std::ranges::equal(a.costs.layers, b.costs.layers, {}, first, first) &&
         a.costs.cut == b.costs.cut && a.microbatch_size == b.microbatch_size;
}

/// Every cut that rows have, each once, with the rows that have it: whose costs rest on it.
std::string CutsToText(const Comparison& comparison) {
  std::string text;
  const std::vector<ComparisonRow>& rows = comparison.rows;
  for (auto row = rows.begin(); row != rows.end(); ++row) {
    const auto same = [&](const ComparisonRow& other) { return SameCut(other, *row); };
    // The first row that has a cut stands for all that have it.
    if (row->costs.layers.empty() || std::find_if(rows.begin(), row, same) != row) {
      continue;
    }

    std::vector<std::string_view> names;
    for (const ComparisonRow& other : rows) {
      if (same(other)) {
        names.push_back(other.approach);
      }
    }

    text += fmt::format("\n{}: {}", fmt::join(names, ", "), CutToText(row->costs));
  }
  return text;
}

template <typename Figure>
Json StageArray(const Metrics& metrics, Figure figure) {
  Json array = Json::array();
  for (const StageMetrics& stage : metrics.stages) {
    array.push_back(OrNull(figure(stage)));
  }
  return array;
}

Json RowToJson(const Comparison& comparison, const ComparisonRow& row) {
  const Metrics& metrics = row.metrics;

  // The schema has the same order; figures that do not exist are null.
  return {{"approach", row.approach},
          {"ranks", row.shape.ranks},
          {"stages", row.shape.stages},
          {"microbatches", row.shape.microbatches},
          {"microbatch_size", row.microbatch_size},
          {"fingerprint", row.fingerprint},
          {"makespan_ns", metrics.makespan.count()},
          {"samples_per_second", metrics.samples_per_second},
          {"relative_throughput", OrNull(Relative(comparison, row))},
          {"steady_samples_per_second", OrNull(SteadySamplesPerSecond(row))},
          {"cycle_ns", OrNull(metrics.cycle_ns)},
          {"bubble", metrics.bubble},
          {"window_bubble", metrics.window_bubble},
          {"peak_bytes", WorstPeak(metrics)},
          {"fits", OrNull(row.fits)},
          {"weight_slots", StageArray(metrics, Slots)},
          {"activation_sets_peak", StageArray(metrics, Sets)},
          {"staleness_steady", StageArray(metrics, Steady)},
          {"staleness_max", StageArray(metrics, Most)},
          {"nominal_staleness_steady", StageArray(metrics, Nominal)},
          {"cut", CutToJson(row.costs)},
          {"derived_costs", row.costs.derived}};
}

Json SettingsToJson(const ComparisonSettings& settings) {
  return {{"ranks", settings.ranks},
          {"microbatches", OrNull(settings.microbatches)},
          {"batches", OrNull(settings.batches)},
          {"microbatch_size", settings.microbatch_size},
          {"send", ToString(settings.topology.send)},
          {"receive", settings.receive},
          {"latency_ns", settings.topology.latency.count()},
          {"bandwidth_bytes_per_second",
           settings.topology.bandwidth > 0 ? Json(settings.topology.bandwidth) : Json(nullptr)},
          {"speed", settings.topology.speed}};
}

}  // namespace

std::string ComparisonToMarkdown(const Comparison& comparison) {
  // Columns that say the same in every row stand in the heading only.
  const bool by_ranks = Differ(comparison, [](const auto& row) { return row.shape.ranks; });
  const bool by_work = Differ(comparison, [](const auto& row) { return row.shape.microbatches; });
  const bool limited = comparison.rows.front().fits.has_value();

  TextTable table;
  std::vector<TextTable::Column>& columns = table.columns;
  columns = {{"approach", Align::kLeft}};
  if (by_ranks) {
    columns.push_back({"ranks"});
  }
  if (by_work) {
    columns.push_back({"micro-batches"});
  }
  columns.insert(columns.end(),
                 {{"samples/s"}, {"relative"}, {"bubble"}, {"window"}, {"peak memory"}});
  if (limited) {
    columns.push_back({"fits"});
  }
  columns.insert(columns.end(),
                 {{"weight copies"}, {"activation sets"}, {"staleness"}, {"nominal"}});

  for (const ComparisonRow& row : comparison.rows) {
    const std::optional<double> relative = Relative(comparison, row);
    std::vector<std::string>& cells = table.rows.emplace_back();
    cells = {row.approach};
    if (by_ranks) {
      cells.push_back(std::to_string(row.shape.ranks));
    }
    if (by_work) {
      cells.push_back(std::to_string(row.shape.microbatches));
    }

    cells.insert(
        cells.end(),
        {FormatNumber(row.metrics.samples_per_second),
         relative ? fmt::format("{:.3f}", *relative) : "-", FormatShare(row.metrics.bubble),
         FormatShare(row.metrics.window_bubble), FormatBytes(WorstPeak(row.metrics))});
    if (limited) {
      cells.emplace_back(row.fits.value_or(true) ? "yes" : "no");
    }
    cells.insert(cells.end(), {PerStage(row.metrics, Slots), PerStage(row.metrics, Sets),
                               PerStage(row.metrics, Steady), PerStage(row.metrics, Nominal)});
  }
  return SettingsToText(comparison) + "\n" + ToMarkdown(table) + kLegend + CutsToText(comparison) +
         NotesOf(comparison);
}

std::string ComparisonToCsv(const Comparison& comparison) {
  TextTable table;
  for (const char* name :
       {"approach", "unit", "ranks", "stages", "microbatches", "microbatch_size_samples",
        "makespan_ns", "throughput_samples_per_s", "relative_throughput", "steady_samples_per_s",
        "bubble_share", "window_bubble_share", "peak_bytes", "fits", "weight_copies",
        "activation_sets", "staleness_updates", "nominal_staleness_updates", "fingerprint"}) {
    table.columns.push_back({name, Align::kLeft});
  }

  // A figure that does not exist leaves its field empty.
  const auto number = [](const std::optional<double>& value) {
    return value ? fmt::format("{}", *value) : "";
  };
  const bool batch = comparison.settings.unit == ComparisonUnit::kBatch;

  for (const ComparisonRow& row : comparison.rows) {
    const Metrics& metrics = row.metrics;
    table.rows.push_back(
        {row.approach, batch ? "batch" : "microbatch", std::to_string(row.shape.ranks),
         std::to_string(row.shape.stages), std::to_string(row.shape.microbatches),
         number(row.microbatch_size), std::to_string(metrics.makespan.count()),
         number(metrics.samples_per_second), number(Relative(comparison, row)),
         number(SteadySamplesPerSecond(row)), number(metrics.bubble), number(metrics.window_bubble),
         std::to_string(WorstPeak(metrics)), row.fits ? (*row.fits ? "yes" : "no") : "",
         PerStage(metrics, Slots), PerStage(metrics, Sets), PerStage(metrics, Steady),
         PerStage(metrics, Nominal), row.fingerprint});
  }

  return ToCsv(table);
}

Json ComparisonToJson(const Comparison& comparison) {
  Json rows = Json::array();
  for (const ComparisonRow& row : comparison.rows) {
    rows.push_back(RowToJson(comparison, row));
  }

  const ComparisonSettings& settings = comparison.settings;
  // Tells what was measured where, if anything was measured.
  Json profile = nullptr;
  if (settings.profile) {
    profile = {{"model", settings.profile->model}, {"device", settings.profile->device}};
  }

  return {{"format", "stagecraft-comparison"},
          {"version", 1},
          {"unit", settings.unit == ComparisonUnit::kBatch ? "batch" : "microbatch"},
          {"settings", SettingsToJson(settings)},
          {"profile", profile},
          {"notes", comparison.notes},
          {"rows", rows}};
}

}  // namespace stagecraft
