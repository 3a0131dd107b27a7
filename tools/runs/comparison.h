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
  std::string approach;  ///< Its name in the table.
  bool is_file = false;  ///< Whether the schedule was read, not generated.
  Mode mode = Mode::kTraining;
  Shape shape;                 ///< Micro-batches of the whole run.
  double microbatch_size = 0;  ///< Samples.
  std::string fingerprint;     ///< Fingerprint of the schedule without its sends and receives.
  Metrics metrics;             ///< What was simulated.
  std::optional<bool> fits{};  ///< Whether each rank has the memory; nullopt: unlimited.
  Costs costs;                 ///< The costs of the simulation.
};

/// What is the same for all rows.
struct ComparisonSettings {
  ComparisonUnit unit = ComparisonUnit::kMicrobatch;
  std::int32_t ranks = 0;  ///< The ranks of generated approaches, see `RanksOf`.
  /// Per batch, where batches are split; nullopt: all rows are files.
  std::optional<std::int32_t> microbatches{};
  std::optional<std::int32_t> batches{};  ///< Nullopt: all rows are files, which know no batches.
  std::string costs;                      ///< A sentence that says what the costs are for.
  bool costs_per_stage = false;           ///< Then a model is as large as its stages are.
  double microbatch_size = 0;             ///< Samples, where batches are split.
  std::string receive;                    ///< The policy, as text.
  Topology topology;                      ///< Speeds and channels of all rows.
  /// Where measured costs come from; nullopt: there are none.
  std::optional<ProfileSource> profile;
};

/// What `compare` reports.
struct Comparison {
  ComparisonSettings settings;
  std::vector<ComparisonRow> rows;  ///< At least one; the first is what others are relative to.
  std::vector<std::string> notes;   ///< What else must be known to read the rows.
};

/// The ranks that the rows are for: `generated` if any row was generated, else the most that any
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

/// Throughput in the periodic steady state; nullopt if there is none.
std::optional<double> SteadySamplesPerSecond(const ComparisonRow& row);

/// Throughput of `row` over that of the first row; nothing if the first takes no time.
std::optional<double> Relative(const Comparison& comparison, const ComparisonRow& row);

}  // namespace stagecraft
