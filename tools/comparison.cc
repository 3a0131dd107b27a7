#include "tools/comparison.h"

#include <algorithm>

namespace stagecraft {

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
