#include "tools/comparison.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/quantity.h"

namespace stagecraft {
namespace {

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
  if (row.shape.ranks != settings.ranks && row.shape.ranks != 1) {
    remedies.push_back(fmt::format("-p {}", row.shape.ranks));
  }

  const std::int32_t own = row.shape.microbatches;
  const std::int32_t other = reference.shape.microbatches;
  if (own != other && row.microbatch_size == reference.microbatch_size) {
    if (!reference.is_file && other % own == 0) {
      remedies.push_back(fmt::format("--repeat {}", other / own));
    } else if (settings.microbatches && own % *settings.microbatches == 0) {
      remedies.push_back(fmt::format("-n {}", own / *settings.microbatches));
    } else if (settings.microbatches) {
      remedies.push_back(fmt::format("-n 1 -m {}", own));
    }
  }
  const std::string given = fmt::format("{}", fmt::join(remedies, " "));
  return given.empty() ? "expected as many in each" : fmt::format("expected {}", given);
}

}  // namespace

std::vector<Diagnostic> UnequalWork(const Comparison& comparison) {
  const ComparisonRow& reference = Reference(comparison.rows);
  std::vector<Diagnostic> faults;
  for (const ComparisonRow& row : comparison.rows) {
    const std::int32_t ranks = row.shape.ranks;
    const bool other_ranks = row.is_file && ranks != comparison.settings.ranks && ranks != 1;
    if (!other_ranks && SamplesOf(row) == SamplesOf(reference)) {
      continue;
    }
    Diagnostic& fault = faults.emplace_back();
    fault.where = row.approach;
    fault.message = fmt::format(
        "{} on {} rank{}, beside {} on {} of {}: not the same work; {}, or --unequal to see both",
        FormatSamples(SamplesOf(row)), ranks, ranks == 1 ? "" : "s",
        FormatSamples(SamplesOf(reference)), comparison.settings.ranks, reference.approach,
        Remedies(row, reference, comparison.settings));
  }
  return faults;
}

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
