#include "tools/runs/comparison.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "tools/arguments/quantity.h"

namespace stagecraft {
namespace {

/// Samples in the whole run.
double SamplesOf(const ComparisonRow& row) {
  return row.shape.microbatches * row.microbatch_size;
}

/// The row that the others are held against: one that was generated, if there is one.
const ComparisonRow& Reference(const std::vector<ComparisonRow>& rows) {
  const auto generated =
      std::find_if(rows.begin(), rows.end(), [](const ComparisonRow& row) { return !row.is_file; });
  return generated == rows.end() ? rows.front() : *generated;
}

/// Flags that make `row` do the work of `reference`, or the other way round.
std::string Remedies(const ComparisonRow& row, const ComparisonRow& reference,
                     const ComparisonSettings& settings) {
  std::vector<std::string> remedies;
  const bool any_generated = !reference.is_file;
  // A file cannot be changed, but what is generated can follow it.
  if (row.shape.ranks != settings.ranks && row.shape.ranks != 1 && any_generated) {
    remedies.push_back(fmt::format("-p {}", row.shape.ranks));
  }

  const double times = SamplesOf(reference) / SamplesOf(row);
  const std::int32_t own = row.shape.microbatches;
  if (times != 1 && row.is_file && any_generated) {
    if (times > 1 && times == std::floor(times)) {
      remedies.push_back(fmt::format("--repeat {:.0f}", times));
    } else if (own % *settings.microbatches == 0) {
      remedies.push_back(fmt::format("-n {}", own / *settings.microbatches));
    } else {
      remedies.push_back(fmt::format("-n 1 -m {}", own));
    }
  }
  return remedies.empty() ? "expected the same of all"
                          : fmt::format("expected {}", fmt::join(remedies, " "));
}

/// The work of a row in words, to be held against that of another.
std::string WorkOf(const ComparisonRow& row) {
  return fmt::format("{}{} on {} rank{}", FormatSamples(SamplesOf(row)),
                     row.mode == Mode::kForward ? ", forwards only," : "", row.shape.ranks,
                     row.shape.ranks == 1 ? "" : "s");
}

/// What is different about the work of `row`: a sentence, or nothing.
std::string Difference(const ComparisonRow& row, const ComparisonRow& reference,
                       const ComparisonSettings& settings) {
  if (settings.costs_per_stage && row.shape.stages != reference.shape.stages) {
    return fmt::format(
        "{} stages, beside {} of {}: with costs per stage not the same model; "
        "expected --costs-per rank",
        row.shape.stages, reference.shape.stages, reference.approach);
  }

  const std::int32_t ranks = row.shape.ranks;
  // A file for one rank is a run without a pipeline, which is fair to compare with.
  const bool other_ranks = row.is_file && ranks != settings.ranks && ranks != 1;
  if (!other_ranks && SamplesOf(row) == SamplesOf(reference) && row.mode == reference.mode) {
    return "";
  }
  return fmt::format("{}, beside {} of {}: not the same work; {}", WorkOf(row), WorkOf(reference),
                     reference.approach, Remedies(row, reference, settings));
}

}  // namespace

std::int32_t RanksOf(const std::vector<ComparisonRow>& rows, std::int32_t generated) {
  std::int32_t most = 0;
  for (const ComparisonRow& row : rows) {
    if (!row.is_file) {
      return generated;
    }
    most = std::max(most, row.shape.ranks);
  }
  return most;
}

std::vector<Diagnostic> UnequalWork(const Comparison& comparison) {
  const ComparisonRow& reference = Reference(comparison.rows);
  std::vector<Diagnostic> faults;
  for (const ComparisonRow& row : comparison.rows) {
    const std::string difference = Difference(row, reference, comparison.settings);
    if (!difference.empty()) {
      Diagnostic& fault = faults.emplace_back();
      fault.where = row.approach;
      fault.message = difference + ", or --unequal to see both";
    }
  }
  return faults;
}

StageCosts AssumedCosts() {
  StageCosts costs;
  costs.forward = std::chrono::milliseconds(1);
  costs.backward = std::chrono::milliseconds(2);
  costs.sizes.activation_bytes = 100'000'000;
  costs.sizes.parameter_bytes = 100'000'000;
  return costs;
}

const char* const kAssumedCosts =
    "assumed per rank (1/p of the model), since no duration is given: F 1 ms, B 2 ms, activations "
    "and weights 100 MB each";

std::int64_t WorstPeak(const Metrics& metrics) {
  std::int64_t worst = 0;
  for (const RankMetrics& rank : metrics.ranks) {
    worst = std::max(worst, rank.peak_bytes);
  }
  return worst;
}

std::optional<double> SteadySamplesPerSecond(const ComparisonRow& row) {
  if (!row.metrics.cycle_ns || *row.metrics.cycle_ns <= 0) {
    return std::nullopt;
  }
  return row.microbatch_size * 1e9 / *row.metrics.cycle_ns;
}

std::optional<double> Relative(const Comparison& comparison, const ComparisonRow& row) {
  const double first = comparison.rows.front().metrics.samples_per_second;
  if (first <= 0) {
    return std::nullopt;
  }
  return row.metrics.samples_per_second / first;
}

}  // namespace stagecraft
