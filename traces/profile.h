#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/diagnostic.h"
#include "traces/costs.h"

namespace stagecraft {

/// Where a profile comes from; every field may be empty ("unknown" is not a value).
struct ProfileSource {
  std::string model;
  std::string device;
  std::string framework;
  std::string date;
  std::string url;
  std::string licence;
  std::string excluded;  ///< What the times leave out, e.g. data loading.
  std::string notes;     ///< Known artefacts.
};

/// Costs of one layer or stage at one micro-batch size; what was not measured is missing.
struct MeasuredCosts {
  std::optional<Nanoseconds> forward, backward, backward_input, backward_weight, recompute, step,
      predict;
  std::optional<std::int64_t> output_bytes, activation_bytes, parameter_bytes, optimizer_bytes;
};

struct ProfileLayer {
  std::string name;
  std::vector<std::int32_t> inputs;  ///< Indices of earlier layers whose output it reads.
  std::vector<MeasuredCosts> at;     ///< One per `Profile::microbatch_sizes`.
};

/// Measured costs of a model (`*.profile.json`): a topological chain of layers, or of ready stages.
struct Profile {
  ProfileSource source;
  bool is_stages = false;                      ///< `layers` are stages: no partition is needed.
  std::vector<std::int64_t> microbatch_sizes;  ///< Samples, ascending, at least one.
  std::vector<ProfileLayer> layers;
};

/// Reads `stagecraft-profile` JSON. Unknown keys are errors with a did-you-mean; diagnostics carry
/// a JSON pointer, or line and column where the JSON itself is broken.
Result<Profile> ParseProfile(std::string_view json, std::string_view file);

/// Canonical JSON; `ParseProfile(PrintProfile(p)) == p`.
std::string PrintProfile(const Profile& profile);

/// Reads a PipeDream `graph.txt`; the batch size is not in the file and must be given. Input
/// nodes and dangling nodes are removed; every other artefact stays, with a warning.
Result<Profile> ParsePipeDreamGraph(std::string_view text, std::string_view file,
                                    std::int64_t batch_size);

/// How the layers were cut: stage i holds layers [begin[i], begin[i+1]).
struct Partition {
  std::vector<std::int32_t> begin;  ///< stages + 1 entries, first 0, last = number of layers.
};

/// The contiguous partition of the chain into `stages` parts with the least time (forward +
/// backward) of the slowest stage; of several the one whose earliest cuts come first. Exact dynamic
/// program, O(layers^2 * stages) or better. Errors if there are fewer layers than stages.
Result<Partition> BalancedPartition(const Profile& profile, std::int32_t stages,
                                    double microbatch_size);

/// Stage costs for one micro-batch size: times and activation sizes by interpolation between
/// measured sizes, linear through 0 when only one was measured or beyond the ends; parameters do
/// not scale. Boundary bytes of a cut: the sum over distinct layers before it that are read behind
/// it. What was not measured is derived: I = W = B / 2, B = I + W, R = F, activation_bytes = the
/// sum of the layers' outputs, optimizer_bytes = 2 * parameter_bytes (gradient and momentum), step
/// and predict from bytes moved at `memory_bandwidth` (bytes/s). `Costs::derived` says which, and
/// how the size was scaled.
Result<Costs> StageCostsOf(const Profile& profile, const Partition& partition,
                           double microbatch_size, double memory_bandwidth = 500e9);

}  // namespace stagecraft
