#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schedules/diagnostic.h"
#include "schedules/schedule.h"
#include "sim/metrics.h"
#include "sim/topology.h"
#include "traces/costs.h"
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
  bool is_file = false;
  Mode mode = Mode::kTraining;
  Shape shape;                 ///< Micro-batches in all.
  double microbatch_size = 0;  ///< Samples.
  std::string fingerprint;
  Metrics metrics;
  std::optional<bool> fits{};  ///< Whether each rank has the memory; nothing if it is unlimited.
  Costs costs;
};

/// What is the same for all rows.
struct ComparisonSettings {
  ComparisonUnit unit = ComparisonUnit::kMicrobatch;
  std::int32_t ranks = 0;
  std::optional<std::int32_t> microbatches{};  ///< Per batch, where batches are split; nothing if
  std::optional<std::int32_t> batches{};       ///< all rows are files, which know no batches.
  std::string costs;                           ///< What they are for.
  bool costs_per_stage = false;                ///< Of a model that is as large as its stages are.
  double microbatch_size = 0;                  ///< Where batches are split.
  std::string receive;
  Topology topology;
  std::optional<ProfileSource> profile;
};

struct Comparison {
  ComparisonSettings settings;
  std::vector<ComparisonRow> rows;
  std::vector<std::string> notes;  ///< What else must be known to read the rows.
};

/// `generated`, the ranks that approaches are generated for, if any row is; else the most that any
/// file has.
std::int32_t RanksOf(const std::vector<ComparisonRow>& rows, std::int32_t generated);

/// What keeps rows from being compared: other samples than the first generated row (else the first)
/// has, forwards only, another number of stages where costs are per stage, or a file for another
/// number of ranks than `settings.ranks`, unless that is one. One error per row, which says what to
/// give; empty if all rows are the same work.
std::vector<Diagnostic> UnequalWork(const Comparison& comparison);

/// What one of -p parts of a model is taken to cost if nothing is said about it, and a sentence
/// that says so.
StageCosts AssumedCosts();
extern const char* const kAssumedCosts;

/// Most bytes that any rank holds.
std::int64_t WorstPeak(const Metrics& metrics);

/// In the periodic steady state; nothing if there is none.
std::optional<double> SteadySamplesPerSecond(const ComparisonRow& row);

/// Throughput of `row` over that of the first row; nothing if the first takes no time.
std::optional<double> Relative(const Comparison& comparison, const ComparisonRow& row);

}  // namespace stagecraft
