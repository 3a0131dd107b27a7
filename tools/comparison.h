#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/metrics.h"
#include "sim/topology.h"
#include "traces/profile.h"

namespace stagecraft {

/// What a pipeline's unit of work is.
enum class ComparisonUnit : std::uint8_t {
  kMicrobatch,  ///< All approaches pipeline the same micro-batches.
  kBatch,       ///< Approaches whose papers pipeline whole batches do; the others split each.
};

/// One approach of a comparison.
struct ComparisonRow {
  std::string approach;
  std::int32_t microbatches = 0;  ///< In all.
  double microbatch_size = 0;     ///< Samples.
  std::string fingerprint;
  Metrics metrics;
  std::vector<std::string> derived;
};

/// What is the same for all rows.
struct ComparisonSettings {
  ComparisonUnit unit = ComparisonUnit::kMicrobatch;
  std::int32_t ranks = 0;
  std::int32_t microbatches = 0;  ///< Per batch, where batches are split.
  std::int32_t batches = 0;
  double microbatch_size = 0;  ///< Where batches are split.
  std::string receive;
  Topology topology;
  std::optional<ProfileSource> profile;
};

struct Comparison {
  ComparisonSettings settings;
  std::vector<ComparisonRow> rows;
};

/// Most bytes that any rank holds.
std::int64_t WorstPeak(const Metrics& metrics);

/// In the periodic steady state; nothing if there is none.
std::optional<double> SteadySamplesPerSecond(const ComparisonRow& row);

/// Throughput of `row` over that of the first row; nothing if the first takes no time.
std::optional<double> Relative(const Comparison& comparison, const ComparisonRow& row);

}  // namespace stagecraft
